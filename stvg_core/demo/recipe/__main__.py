"""``python -m stvg_core.demo.recipe --out stvg_core/demo/model``: train the embedded model and write its
folder.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from stvg_core.demo.recipe.architecture import build_model
from stvg_core.demo.recipe.folder import write_folder
from stvg_core.demo.recipe.plan import SEED, build_stages
from stvg_core.demo.recipe.processes import train


def main() -> None:
    """The command line; see the module."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="model folder to write")
    parser.add_argument("--work", type=Path, default=Path("/tmp/stvg-recipe"), help="checkpoints and log")  # noqa: S108
    parser.add_argument("--processes", type=int, default=2, help="one thread each")
    parser.add_argument("--until", default=None, help="stop after this stage")
    arguments = parser.parse_args()
    train(arguments.work, arguments.processes, arguments.until)
    last = build_stages(arguments.until)[-1].name
    model = build_model(SEED)
    model.load_state_dict(torch.load(arguments.work / f"{last}.pt", weights_only=True)["model"])
    write_folder(model, arguments.out)
    write_log(arguments.work / "log.jsonl", arguments.out / "training_log.json")


def write_log(lines: Path, out: Path, limit: int = 60) -> None:
    """Thin the step log to at most ``limit`` lines a stage and store it as one JSON object by stage."""
    stages: dict[str, list[dict[str, float]]] = {}
    for line in lines.read_text().splitlines():
        entry = json.loads(line)
        stages.setdefault(entry.pop("stage"), []).append(entry)
    thinned = {name: [e for i, e in enumerate(rows) if _kept(i, len(rows), limit)] for name, rows in stages.items()}
    text = ",\n".join(
        f'"{name}": [\n' + ",\n".join(json.dumps(e) for e in rows) + "\n]" for name, rows in thinned.items()
    )
    out.write_text("{\n" + text + "\n}\n")


def _kept(index: int, count: int, limit: int) -> bool:
    """Whether an evenly spread choice of ``limit`` out of ``count``, the last included, holds ``index``."""
    return index == count - 1 or index * limit // count != (index - 1) * limit // count


if __name__ == "__main__":
    main()
