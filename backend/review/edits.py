"""How many edits lead to a tube: from a suggestion, and from nothing?

An edit is a keyframe placed, moved or deleted, or an end moved. A tube is reached when its ends are met exactly and the
straight lines between the keyframes have IoU >= ``MIN_IOU`` with it on every frame. Both numbers are the cheapest way
through the same frames, those that ``stvg_core.keyframes.simplify`` chooses on the tube played forward and backward.

Rules of counting:

- From nothing, every keyframe is placed. The ends come with the first and the last one.
- From a suggestion, a keyframe stays for nothing if its box still fits, is moved to the tube's box for one edit, or is
  deleted for one. A keyframe on another frame is placed for one edit.
- An end that moved is one edit. Its box is then the suggestion's at that frame (its line, or its last box held); where
  that does not fit, the keyframe moves as well. The suggestion's own end keyframe goes with the end. Keyframes in
  between that the new interval leaves outside are deleted one by one, as Label Studio wants it.
- An end that was set on the timeline is one edit; beside it count the edits of the box as it stands on the page: the
  boxes on added frames were nobody's work (``backend.review.diff``).
- Who finds the suggestion useless deletes it (one edit) and starts over: no suggestion costs more than that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backend.review.drawn import Drawn
from stvg_core.keyframes import Keyframe, expand, simplify
from stvg_core.metrics import box_iou
from stvg_core.tube import Array, Tube

MIN_IOU = 0.9
DISCARD = 1
"""Deleting the suggestion whole is one edit."""

Stop = tuple[int, list[tuple[Keyframe, int]]]
"""A frame, and the keyframes that may stand there with their price."""

_PROBES = np.arange(1, 8) / 8
_ROUNDING = 1e-4


def edits_from_nothing(drawn: Drawn) -> int:
    """Keyframes that must be placed; at least one."""
    return sum(_cheapest(part, [_placed(part, f) for f in _useful_frames(part)], set()) for part in drawn.parts())


def edits_from_suggestion(suggested: Sequence[Keyframe], drawn: Drawn, *, from_nothing: int | None = None) -> int:
    """Edits that turn the suggestion's keyframes into the tube, 0 where it may stay as it is.

    Args:
        suggested: as the annotator saw them, in order; at least one.
        from_nothing: of ``drawn``, where it is known already.
    """
    frames = np.array([key.frame for key in suggested])
    boxes = np.stack([key.box for key in suggested]).astype(np.float64)
    inner = {int(frame) for frame in frames[1:-1]}
    covered = {frame for frame in inner if any(a <= frame <= b for a, b in drawn.intervals)}
    cost = len(inner - covered)
    for part in drawn.parts():
        cost += int(part.start_frame != frames[0]) + int(part.end_frame != frames[-1])
        held = {int(f) for f in frames if part.start_frame <= f <= part.end_frame}
        ends = {part.start_frame, part.end_frame}
        stops = []
        for frame in sorted(held | ends | set(_useful_frames(part))):
            stop = _placed(part, frame)
            if frame in held | ends:
                box = np.array([np.interp(frame, frames, boxes[:, k]) for k in range(4)])
                if _fits_box(part, frame, box):
                    stop[1].append((Keyframe(frame, box), 0))
            stops.append(stop)
        cost += _cheapest(part, stops, held - ends)
    return min(cost, DISCARD + (edits_from_nothing(drawn) if from_nothing is None else from_nothing))


def _useful_frames(part: Tube) -> list[int]:
    """Where the simplifier sets keyframes, in both directions of time: neither direction is cheaper than the other."""
    backward = simplify(Tube(0, part.boxes[::-1]), MIN_IOU)
    forward = {key.frame for key in simplify(part, MIN_IOU)}
    return sorted(forward | {part.end_frame - key.frame for key in backward})


def _placed(part: Tube, frame: int) -> Stop:
    return frame, [(Keyframe(frame, part.boxes[frame - part.start_frame]), 1)]


def _fits_box(part: Tube, frame: int, box: Array) -> bool:
    truth = part.boxes[frame - part.start_frame]
    return bool(box_iou(box[None].astype(np.float32), truth[None])[0] >= MIN_IOU)


def _cheapest(part: Tube, stops: list[Stop], removable: set[int]) -> int:
    """Price of the cheapest keyframes from the part's first frame to its last, by dynamic programming over ``stops``.

    Passing over one of the ``removable`` frames costs one deletion.
    """
    gone = np.cumsum([frame in removable for frame, _ in stops]).tolist()
    reached = [(key, price, 0) for key, price in stops[0][1]]  # keyframe, price up to it, removable frames up to it
    for row, (_, choices) in enumerate(stops[1:], start=1):
        new = []
        for end, price in choices:
            totals = [so_far + gone[row - 1] - passed + price for _, so_far, passed in reached]
            order = sorted(range(len(totals)), key=totals.__getitem__)
            fit = _first_fit(part, [reached[i][0] for i in order], end)
            if fit is not None:
                new.append((end, totals[order[fit]], gone[row]))
        reached += new
    return int(min(price for key, price, _ in reached if key.frame == part.end_frame))


def _first_fit(part: Tube, starts: Sequence[Keyframe], end: Keyframe) -> int | None:
    """The first of ``starts`` from which a straight line to ``end`` fits on every frame in between; None without one.

    A few frames of all lines at once sort out most: on a shaky tube nearly all fail.
    """
    frames = np.array([key.frame for key in starts])
    boxes = np.stack([key.box for key in starts]).astype(np.float64)
    probes = frames[:, None] + ((end.frame - frames)[:, None] * _PROBES).astype(np.int64)
    steps = (probes - frames[:, None])[..., None] / (end.frame - frames)[:, None, None]
    lines = boxes[:, None] + (end.box - boxes)[:, None] * steps
    truth = part.boxes[probes - part.start_frame]
    near = box_iou(lines.reshape(-1, 4), truth.reshape(-1, 4)).reshape(probes.shape) >= MIN_IOU - _ROUNDING
    near |= (truth[..., 2:] <= truth[..., :2]).any(
        axis=-1
    )  # a box without area is met exactly or not at all: see below
    likely = np.flatnonzero(near.all(axis=1)).tolist()
    return next((i for i in likely if _fits_line(part, starts[i], end)), None)


def _fits_line(part: Tube, start: Keyframe, end: Keyframe) -> bool:
    if end.frame - start.frame < 2:
        return True
    rows = slice(start.frame + 1 - part.start_frame, end.frame - part.start_frame)
    return bool(box_iou(expand([start, end]).boxes[1:-1], part.boxes[rows]).min() >= MIN_IOU)
