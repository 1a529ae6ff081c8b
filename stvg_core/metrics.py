"""How near is a tube to the truth? The measures of the field, over frames counted from 0 with both ends included.

``vIoU`` sums the box overlap over the frames that both tubes have and divides by the frames that either has, so a wrong
interval costs as much as a wrong box (evaluation protocol of HC-STVG: every frame, inclusive ends).
"""

from __future__ import annotations

from stvg_core.boxes import box_iou
from stvg_core.tube import Tube


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
