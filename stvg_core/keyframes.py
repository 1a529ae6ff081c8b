"""A tube as the few boxes that a person would draw: straight lines in between come close to it on every frame.

Annotators move a box on keyframes and the tool interpolates. A tube with one keyframe per frame cannot be corrected by
hand, so predictions are thinned before they are shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.tube import Array, Tube


@dataclass(frozen=True)
class Keyframe:
    """A box at a frame: ``frame`` 0-based, ``box`` ``(4,)`` float32 normalised xyxy."""

    frame: int
    box: Array

    def __post_init__(self) -> None:
        box = np.asarray(self.box, dtype=np.float32)
        if box.shape != (4,) or not np.isfinite(box).all():
            raise ValueError(f"a keyframe needs 4 finite numbers, got {self.box!r}")
        object.__setattr__(self, "box", box)


def simplify(tube: Tube, min_iou: float = 0.9) -> list[Keyframe]:
    """Keyframes whose interpolation has IoU >= ``min_iou`` with the tube on every frame; both ends are among them.

    The frame that a straight line misses most becomes a keyframe until none is missed (Douglas and Peucker 1973, with
    IoU in place of distance). Boxes without area, where IoU means nothing, must be met exactly.
    """
    if not 0.0 < min_iou <= 1.0:
        raise ValueError(f"min_iou lies above 0 and is at most 1, got {min_iou}")
    last = len(tube.boxes) - 1
    kept = {0, last}
    spans = [(0, last)]
    while spans:
        first, end = spans.pop()
        if end - first < 2:
            continue
        overlap = box_iou(between(tube.boxes[first], tube.boxes[end], end - first), tube.boxes[first + 1 : end])
        lowest = overlap.min()
        if lowest >= min_iou:
            continue
        # Ties break towards the middle, for balanced spans.
        worst = first + 1 + np.flatnonzero(overlap == lowest)
        middle = int(worst[np.argmin(np.abs(worst - (first + end) / 2))])
        kept.add(middle)
        spans += [(first, middle), (middle, end)]
    return [Keyframe(tube.start_frame + row, tube.boxes[row]) for row in sorted(kept)]


def expand(keyframes: Sequence[Keyframe]) -> Tube:
    """The tube that keyframes stand for: straight lines between them, from the first to the last.

    Raises:
        ValueError: no keyframe, or frames that do not strictly increase.
    """
    if not keyframes:
        raise ValueError("there are no keyframes; a tube needs at least one")
    frames = np.array([key.frame for key in keyframes], dtype=np.int64)
    steps = frames[1:] - frames[:-1]
    if (steps <= 0).any():
        raise ValueError("keyframes must be in order, one per frame")
    boxes = np.stack([key.box for key in keyframes]).astype(np.float64)
    before = np.repeat(np.arange(len(steps)), steps)  # of every frame but the last, the keyframe before it
    since = np.arange(len(before)) + frames[0] - frames[before]
    slopes = (boxes[1:] - boxes[:-1]) / steps[:, None]
    return Tube(int(frames[0]), np.concatenate([slopes[before] * since[:, None] + boxes[before], boxes[-1:]]))


def between(first: Array, last: Array, steps: int) -> Array:
    """``(steps - 1, 4)`` float32: the boxes inside a straight line from ``first`` to ``last``, so many frames later."""
    start = first.astype(np.float64)
    return np.asarray((last - start) / steps * np.arange(1, steps)[:, None] + start, dtype=np.float32)
