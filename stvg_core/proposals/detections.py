"""Boxes found in one picture, before they are linked over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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


def pairwise_iou(a: Array, b: Array) -> Array:
    """``(N, 4)`` and ``(M, 4)`` xyxy -> ``(N, M)`` intersection over union; NaN boxes give 0."""
    top_left = np.maximum(a[:, None, :2], b[None, :, :2])
    bottom_right = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(bottom_right - top_left, 0, None).prod(axis=2)
    areas = [np.clip(x[:, 2:] - x[:, :2], 0, None).prod(axis=1) for x in (a, b)]
    union = areas[0][:, None] + areas[1][None, :] - inter
    iou: Array = np.nan_to_num(inter / np.maximum(union, 1e-12))
    return iou


def suppress(found: Detections, max_iou: float, keep: int) -> Detections:
    """The ``keep`` best that overlap no better one by more than ``max_iou``."""
    order = np.argsort(-found.scores, kind="stable")
    iou = pairwise_iou(found.boxes, found.boxes)
    kept: list[int] = []
    for i in order:
        if len(kept) == keep:
            break
        if not kept or iou[i, kept].max() <= max_iou:
            kept.append(int(i))
    return found.take(np.array(kept, dtype=np.int64))
