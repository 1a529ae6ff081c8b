"""A corrected item: how near is an answer that was made again to what a person drew?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.method.evidence import Evidence
from stvg_core.method.join import Refined
from stvg_core.tube import Tube

RIGHT_IOU = 0.5


@dataclass(frozen=True)
class Item:
    """One grounding and its truth.

    Attributes:
        name: what a person knows it by.
        video: items of one video share what is shown, so they are never on both sides of a fold.
        truth: the parts in which the object is shown, in order, apart from each other; at least one.
    """

    name: str
    video: str
    evidence: Evidence
    truth: tuple[Tube, ...]


@dataclass(frozen=True)
class Outcome:
    """vIoU and tIoU of an answer, whether its track follows the object, and whether it lost its second look."""

    viou: float
    tiou: float
    right: bool
    lost: bool


def outcome(found: Refined, truth: Sequence[Tube]) -> Outcome:
    """Compare on every frame that either has."""
    overlap, shared = 0.0, 0
    for part in truth:
        first, last = max(found.tube.start_frame, part.start_frame), min(found.tube.end_frame, part.end_frame)
        if first <= last:
            rows = [one.boxes[first - one.start_frame : last - one.start_frame + 1] for one in (found.tube, part)]
            overlap += float(box_iou(*rows).sum())
            shared += last - first + 1
    either = len(found.tube.boxes) + sum(len(part.boxes) for part in truth) - shared
    return Outcome(overlap / either, shared / either, follows(found, truth), found.lost)


def follows(found: Refined, truth: Sequence[Tube]) -> bool:
    """Does the chosen track lie on the object where both are there? Mean IoU of at least 0.5, whatever the ends."""
    frames = np.concatenate([part.frames for part in truth])
    boxes = found.track.at(frames)
    both = np.isfinite(boxes).all(axis=1)
    true = np.concatenate([part.boxes for part in truth])
    return bool(both.any() and box_iou(boxes[both], true[both]).mean() >= RIGHT_IOU)
