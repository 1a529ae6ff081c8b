"""Does the uncertainty of a suggestion order clips by how good it is? Does its agreement with a second one?

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/uncertainty.py --clips 64

Every clip of the test split goes the user's way, with proposed tracks, once with the model's own settings and once with
those of a preset over them (``--second``; the proposer stays). Printed are Spearman's rank correlations with the true
vIoU of the first tube: of each part, of 1 - uncertainty, of the score, of the agreement of the two tubes (as
``backend.db.model_versions`` has it) and of the mean of agreement and 1 - uncertainty. The latter two and 1 -
uncertainty have a bootstrap interval, and these two one of their lead over 1 - uncertainty on the same clips. Then the
mean vIoU of each quarter, the most uncertain first.
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

from backend.db.model_versions import agreement
from backend.review.uncertainty import of_evidence
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.domain import Difficulty
from stvg_core.demo.evaluate import scene_truth
from stvg_core.metrics import viou
from stvg_core.pipeline import Grounder
from stvg_core.presets import PAPERS
from stvg_core.setting_layers import Place, choose
from stvg_core.tube import Array

PARTS = ("consistency", "margin", "peakiness")
WITH_SECOND = ("agreement", "both")
"""Of the two tubes; and the mean of that and 1 - uncertainty."""


def grounded(
    grounder: Grounder, difficulty: Difficulty, numbers: range, second: Grounder | None = None
) -> list[dict[str, float]]:
    """One row per clip: the parts, the certainty, the score and the true vIoU; with a second grounder the agreement."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for number in tqdm(numbers, desc=difficulty):
            scene = split_scene("test", number, difficulty=difficulty)
            clip = write_clip(Path(folder) / "clip.mp4", scene)
            found = grounder.ground(clip, scene.query)
            parts = of_evidence(found.evidence)
            other = None if second is None else second.ground(clip, scene.query)
            agreed = None if other is None else agreement(found.tube, [other.tube])
            rows.append(
                {name: getattr(parts, name) for name in PARTS}
                | {"certainty": 1 - parts.value, "score": found.score}
                | ({} if agreed is None else {"agreement": agreed, "both": (agreed + 1 - parts.value) / 2})
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
    draws = [rng.integers(0, len(rows), len(rows)) for _ in range(2000)]
    again = {
        name: np.array([spearman(columns[name][draw], truth[draw]) for draw in draws])
        for name in ("certainty", *WITH_SECOND)
        if name in columns
    }
    for name, values in again.items():
        found[f"{name}_95"] = _interval(values)
        if name != "certainty":
            found[f"{name}_lead_95"] = _interval(values - again["certainty"])
    quarters = np.array_split(np.argsort(columns["certainty"], kind="stable"), 4)
    found["viou_by_quarter"] = [round(float(truth[quarter].mean()), 3) for quarter in quarters]
    return found


def _interval(values: Array) -> list[float]:
    return [round(float(bound), 2) for bound in np.nanpercentile(values, [2.5, 97.5])]


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
    parser.add_argument("--second", default=PAPERS, help='preset of the second look; "" leaves it out')
    parser.add_argument("--clips", type=int, default=64, help="per difficulty")
    parser.add_argument("--difficulties", nargs="+", choices=get_args(Difficulty), default=["medium", "crowded"])
    parser.add_argument("--out", type=Path, help="write the rows too, as JSON")
    arguments = parser.parse_args()
    grounder = Grounder.from_pretrained(arguments.model)
    second = None
    if arguments.second:
        # A preset may name a proposer that has to be loaded from elsewhere; what is compared is how one chooses.
        other = choose(arguments.model, Place(arguments.second, {"proposer": grounder.settings.proposer}))
        second = Grounder.from_pretrained(arguments.model, settings=other.settings)
    rows = {level: grounded(grounder, level, range(arguments.clips), second) for level in arguments.difficulties}
    report = {level: summary(found) for level, found in rows.items()}
    report["all"] = summary([row for found in rows.values() for row in found])
    if arguments.out:
        arguments.out.write_text(json.dumps({"summary": report, "rows": rows}) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=1))  # noqa: T201


if __name__ == "__main__":
    main()
