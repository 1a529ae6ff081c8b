"""What did a person change about a suggestion? One annotation version against the prediction that it came from.

Kinds of change, the first that holds:

=======================  ==========================================================================================
deleted                  the annotation was deleted
skipped                  the task was skipped (``was_cancelled``)
unreadable               the annotation holds boxes that could not be read
rejected                 a tube was suggested and none is left, or it was judged wrong and left as it was
left empty               nothing was suggested by a prediction, and nothing is drawn
drawn from nothing       no prediction, or one without a tube
accepted as is           the same frames, and IoU >= ``SAME_IOU`` on each; or neither has a tube
other object             mean IoU below ``OTHER_IOU`` on the common frames; without any, between the two boxes that
                         face each other across the gap
ends moved               other frames; where both are shown, the boxes are the same
boxes moved              the same frames, other boxes
ends and boxes moved     both
=======================  ==========================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.review.drawn_tube import Drawn, Overlap, overlap
from backend.review.edits import DISCARD, both, edits_from_nothing, edits_from_suggestion
from stvg_core.boxes import box_iou
from stvg_core.keyframes import Keyframe, expand
from stvg_core.tube import Array

ACCEPTED, ENDS, BOXES, BOTH = "accepted as is", "ends moved", "boxes moved", "ends and boxes moved"
OTHER, REJECTED, DRAWN = "other object", "rejected", "drawn from nothing"
SKIPPED, DELETED, EMPTY, UNREADABLE = "skipped", "deleted", "left empty", "unreadable"
CHANGES = (ACCEPTED, ENDS, BOXES, BOTH, OTHER, REJECTED, DRAWN, SKIPPED, DELETED, EMPTY, UNREADABLE)

SAME_IOU = 0.99
"""A tube that was only stored and read back (rounded, simplified) stays above this on every frame."""

OTHER_IOU = 0.1
"""Below it a box lies on something else: the border between a misplaced box and background in TIDE (ECCV 2020)."""


@dataclass(frozen=True)
class Diff:
    """A comparison; numbers that make no sense for its kind are None.

    Attributes:
        change: one of ``CHANGES``.
        start_shift, end_shift: in frames, positive where the person's end is later.
        edits, edits_from_nothing: see ``backend.review.edits``.
        overlap: frame by frame, where both have a tube.
        region_id: the region that was compared.
    """

    change: str
    edits: int | None = None
    edits_from_nothing: int | None = None
    start_shift: int | None = None
    end_shift: int | None = None
    overlap: Overlap | None = None
    region_id: str | None = None


def compare(suggested: Sequence[Keyframe], drawn: Drawn | None, *, judged_wrong: bool = False) -> Diff:
    """Compare what was suggested (no keyframes: nothing) with what a person left.

    Args:
        judged_wrong: the person says that the suggestion is wrong; a tube that is as suggested is then rejected.
    """
    if drawn is None:
        return Diff(REJECTED, DISCARD, 0) if suggested else Diff(ACCEPTED, 0, 0)
    if not suggested:
        from_nothing = edits_from_nothing(drawn)
        return Diff(DRAWN, from_nothing, from_nothing, region_id=drawn.region_id)
    proposal = Drawn.whole(expand(suggested))
    found = overlap(proposal, drawn)
    change = _kind(proposal, drawn, found)
    if change == ACCEPTED and judged_wrong:
        return Diff(REJECTED, 0, 0, region_id=drawn.region_id)
    edits, from_nothing = _edits(suggested, drawn)
    return Diff(
        change=change,
        edits=edits,
        edits_from_nothing=from_nothing,
        start_shift=drawn.tube.start_frame - proposal.tube.start_frame,
        end_shift=drawn.tube.end_frame - proposal.tube.end_frame,
        overlap=found,
        region_id=drawn.region_id,
    )


def _edits(suggested: Sequence[Keyframe], drawn: Drawn) -> tuple[int, int]:
    """From the suggestion and from nothing.

    An end that was set on the timeline is one edit: the boxes behind it were nobody's work.
    """
    if drawn.page is None:
        return both(suggested, drawn)
    from_nothing = edits_from_nothing(drawn)
    of_the_box = edits_from_suggestion(suggested, drawn.page)
    return min(of_the_box + drawn.moved, DISCARD + from_nothing), from_nothing


def has_boxes(result: Sequence[Mapping[str, Any]]) -> bool:
    """Does an annotation hold any box at all, whether it could be read or not?"""
    return any(r.get("type") == "videorectangle" and (r.get("value") or {}).get("sequence") for r in result)


def pack(ious: Array) -> bytes:
    """IoU per frame, two bytes each: little-endian float16, good to 0.0005."""
    return np.asarray(ious, dtype="<f2").tobytes()


def unpack(data: bytes) -> Array:
    """``(N,)`` float32 from :func:`pack`."""
    return np.frombuffer(data, dtype="<f2").astype(np.float32)


def _kind(proposal: Drawn, drawn: Drawn, found: Overlap) -> str:
    boxes = found.frame_ious[found.common]
    if _nearness(proposal, drawn, boxes) < OTHER_IOU:
        return OTHER
    ends_moved = found.common.sum() < np.isfinite(found.frame_ious).sum()
    boxes_moved = bool(boxes.size) and bool(boxes.min() < SAME_IOU)
    if ends_moved:
        return BOTH if boxes_moved or not boxes.size else ENDS
    return BOXES if boxes_moved else ACCEPTED


def _nearness(proposal: Drawn, drawn: Drawn, boxes: Array) -> float:
    """Mean IoU over the common frames; without any, IoU of the boxes at the two frames that lie nearest in time."""
    if boxes.size:
        return float(boxes.mean())
    [(first, last)] = proposal.intervals
    _, (a, b) = min((abs(x - y), (x, y)) for interval in drawn.intervals for y in interval for x in (first, last))
    return float(box_iou(proposal.on(a, a)[0], drawn.on(b, b)[0])[0])
