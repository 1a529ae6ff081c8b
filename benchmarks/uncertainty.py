"""Does the uncertainty of a suggestion order clips by how good the suggestion is?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/uncertainty.py --clips 64

Every clip of the test split goes the user's way, with proposed tracks. Printed are Spearman's rank correlation of each
part, of 1 - uncertainty and of the score with the true vIoU, with a bootstrap interval, and the mean vIoU of each
quarter, the most uncertain first.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from pathlib import Path
from typing import Any, get_args

import numpy as np
from tqdm import tqdm

from backend.review.uncertainty import of_evidence
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.domain import Difficulty
from stvg_core.demo.evaluate import scene_truth
from stvg_core.metrics import viou
from stvg_core.pipeline import Grounder
from stvg_core.tube import Array

PARTS = ("consistency", "margin", "peakiness")


def grounded(grounder: Grounder, difficulty: Difficulty, numbers: range) -> list[dict[str, float]]:
    """One row per clip: the parts, the certainty, the score and the true vIoU."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in tqdm(numbers, desc=difficulty):
            scene = split_scene("test", number, difficulty=difficulty)
            found = grounder.ground(write_clip(Path(folder) / "clip.mp4", scene), scene.query)
            parts = of_evidence(found.evidence)
            rows.append(
                {name: getattr(parts, name) for name in PARTS}
                | {"certainty": 1 - parts.value, "score": found.score}
                | {"viou": 0.0 if found.tube is None else viou(found.tube, scene_truth(scene))}
            )
    return rows


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Correlations with vIoU over the rows in which a part is known."""
    columns = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    truth = columns.pop("viou")
    found: dict[str, Any] = {"clips": len(rows)}
    for name, values in columns.items():
        known = np.isfinite(values)
        found[name] = round(spearman(values[known], truth[known]), 3)
    rng = np.random.default_rng(0)
    draws = (rng.integers(0, len(rows), len(rows)) for _ in range(2000))
    again = [spearman(columns["certainty"][draw], truth[draw]) for draw in draws]
    found["certainty_95"] = [round(float(bound), 2) for bound in np.nanpercentile(again, [2.5, 97.5])]
    quarters = np.array_split(np.argsort(columns["certainty"], kind="stable"), 4)
    found["viou_by_quarter"] = [round(float(truth[quarter].mean()), 3) for quarter in quarters]
    return found


def spearman(a: Array, b: Array) -> float:
    """Pearson's correlation of the ranks, ties sharing their mean rank; NaN where either does not vary."""
    one, other = ranks(a), ranks(b)
    spread = one.std() * other.std()
    return float(((one - one.mean()) * (other - other.mean())).mean() / spread) if spread > 0 else math.nan


def ranks(values: Array) -> Array:
    """``(N,)`` -> ``(N,)``, from 0; equal values share the mean of their ranks."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle: Array = (ends - (counts + 1) / 2)[place]
    return middle


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=str(MODEL_DIR))
    parser.add_argument("--clips", type=int, default=64, help="per difficulty")
    parser.add_argument("--difficulties", nargs="+", choices=get_args(Difficulty), default=["medium", "crowded"])
    parser.add_argument("--out", type=Path, help="write the rows too, as JSON")
    arguments = parser.parse_args()
    grounder = Grounder.from_pretrained(arguments.model)
    rows = {level: grounded(grounder, level, range(arguments.clips)) for level in arguments.difficulties}
    report = {level: summary(found) for level, found in rows.items()}
    report["all"] = summary([row for found in rows.values() for row in found])
    if arguments.out:
        arguments.out.write_text(json.dumps({"summary": report, "rows": rows}) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
