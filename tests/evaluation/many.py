"""A made-up evaluation of any size: truths with attributes, predictions of which some are missing or empty."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.tube import Tube

SIZE = (640, 480)
CATEGORIES = (
    "adult",
    "dog",
    "child",
    "toy",
    "car",
    "guitar",
    "bird",
    "cat",
    "chair",
    "sofa",
    "horse",
    "bicycle",
    "ball",
)


def made_up(n: int, *, seed: int = 0, per_video: int = 3) -> tuple[list[Truth], list[Prediction]]:
    """``n`` sentences; every tenth has no prediction and every fifteenth an empty one."""
    rng = np.random.default_rng(seed)
    truths, predictions = [], []
    for k in range(n):
        start, length, side = int(rng.integers(0, 200)), int(rng.lognormal(4, 0.8)) + 3, rng.uniform(0.05, 0.4)
        x, y = rng.uniform(0, 1 - side, 2)
        box = np.array([x, y, x + side, y + side])
        video, sentence = f"v{k // per_video}.mp4", f"sentence {k}"
        truth = Truth.of_tube(
            video, sentence, Tube(start, np.tile(box, (length, 1))), size=SIZE, fps=25.0, n_frames=start + length + 50,
            category=CATEGORIES[k % len(CATEGORIES)],
        )  # fmt: skip
        kind = "declarative" if k % 2 else "interrogative"
        truths.append(replace(truth, kind=kind, n_objects=1 + k % 8))
        if k % 10 == 9:
            continue
        moved = Tube(
            max(0, start + int(rng.normal(0, 10))), np.tile(box + rng.normal(0, 0.03, 4), (max(2, length - 5), 1))
        )
        predictions.append(Prediction.of_tube(video, sentence, None if k % 15 == 14 else moved, SIZE))
    return truths, predictions
