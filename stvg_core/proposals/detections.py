"""Boxes found in one picture, before they are linked over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.tube import Array


@dataclass(frozen=True)
class Detections:
    """``N`` boxes in one picture.

    Attributes:
        boxes: ``(N, 4)`` float32 xyxy in pixels of the working picture.
        colours: ``(N, 3)`` float32 mean Lab colour of what is inside.
        scores: ``(N,)`` float32 in [0, 1], how much each stands out.
    """

    boxes: Array
    colours: Array
    scores: Array

    def __len__(self) -> int:
        return len(self.boxes)

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros((0, 3), np.float32), np.zeros(0, np.float32))

    def take(self, rows: Array) -> Detections:
        return Detections(self.boxes[rows], self.colours[rows], self.scores[rows])

    @classmethod
    def join(cls, parts: list[Detections]) -> Detections:
        return cls(*(np.concatenate([getattr(p, k) for p in parts]) for k in ("boxes", "colours", "scores")))


def suppress(found: Detections, max_iou: float, keep: int) -> Detections:
    """The ``keep`` best that overlap no better one by more than ``max_iou``."""
    order = np.argsort(-found.scores, kind="stable")
    iou = box_iou(found.boxes[:, None], found.boxes)
    kept: list[int] = []
    for i in order:
        if len(kept) == keep:
            break
        if not kept or iou[i, kept].max() <= max_iou:
            kept.append(int(i))
    return found.take(np.array(kept, dtype=np.int64))
