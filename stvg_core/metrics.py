"""How near is a tube to the truth? The measures of the field, over frames counted from 0 with both ends included.

``vIoU`` sums the box overlap over the frames that both tubes have and divides by the frames that either has, so a wrong
interval costs as much as a wrong box (evaluation protocol of HC-STVG: every frame, inclusive ends).
"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array, Tube


def box_iou(a: Array, b: Array) -> Array:
    """Row-wise IoU of ``(N, 4)`` and ``(N, 4)`` xyxy boxes -> ``(N,)`` in [0, 1].

    Equal boxes give 1 even without area; any other empty box, and NaN, gives 0.
    """
    corners = np.empty((4, 2, len(a)))  # numpy is quick along long axes only
    corners[:, 0], corners[:, 1] = np.asarray(a).T, np.asarray(b).T
    low, high = corners[:2], corners[2:]
    shared = _product(np.minimum(high[:, 0], high[:, 1]) - np.maximum(low[:, 0], low[:, 1]))
    each = _product(high - low)
    union = each[0] + each[1] - shared
    same = (corners[:, 0] == corners[:, 1]).all(axis=0)
    iou: Array = same.astype(np.float64)
    with np.errstate(invalid="ignore"):
        np.divide(shared, union, out=iou, where=(union > 0) & ~same)
    return iou


def _product(sides: Array) -> Array:
    """Areas of two sides each, ``(2, ...)`` -> ``(...)``; a negative side counts as none."""
    positive = np.maximum(sides, 0.0)
    return np.asarray(positive[0] * positive[1])


def tiou(a: Tube, b: Tube) -> float:
    """Overlap of the two intervals: shared frames by frames that either has."""
    shared = min(a.end_frame, b.end_frame) - max(a.start_frame, b.start_frame) + 1
    if shared <= 0:
        return 0.0
    return shared / (len(a.boxes) + len(b.boxes) - shared)


def _shared_overlap(a: Tube, b: Tube) -> tuple[float, int]:
    """Sum of the box IoU over the shared frames, and how many there are."""
    first, last = max(a.start_frame, b.start_frame), min(a.end_frame, b.end_frame)
    if last < first:
        return 0.0, 0
    rows = [x.boxes[first - x.start_frame : last - x.start_frame + 1] for x in (a, b)]
    return float(box_iou(*rows).sum()), last - first + 1


def viou(predicted: Tube, truth: Tube) -> float:
    """Box overlap over the union of the two intervals, in [0, tIoU]."""
    overlap, shared = _shared_overlap(predicted, truth)
    return overlap / (len(predicted.boxes) + len(truth.boxes) - shared)


def gt_viou(predicted: Tube, truth: Tube) -> float:
    """Box overlap over the true frames only; frames that the prediction lacks count 0."""
    return _shared_overlap(predicted, truth)[0] / len(truth.boxes)
