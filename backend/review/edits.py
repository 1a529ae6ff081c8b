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
from itertools import accumulate

import numpy as np

from backend.review.drawn_tube import Drawn
from stvg_core.boxes import box_iou
from stvg_core.keyframes import Keyframe, between, simplify
from stvg_core.tube import Array, Tube

MIN_IOU = 0.9
DISCARD = 1
"""Deleting the suggestion whole is one edit."""

Stop = tuple[int, list[tuple[Keyframe, int]]]
"""A frame, and the keyframes that may stand there with their price."""

_PROBES = np.arange(1, 8) / 8
_ROUNDING = 1e-4
_FEW = 8
"""Lines that are looked at one after the other: the first ones mostly fit."""


def edits_from_nothing(drawn: Drawn, min_iou: float = MIN_IOU) -> int:
    """Keyframes that must be placed; at least one."""
    return _from_nothing(_parts(drawn, min_iou))


def edits_from_suggestion(suggested: Sequence[Keyframe], drawn: Drawn) -> int:
    """Edits that turn the suggestion's keyframes into the tube, 0 where it may stay as it is.

    Args:
        suggested: as the annotator saw them, in order; at least one.
    """
    return both(suggested, drawn)[0]


def both(suggested: Sequence[Keyframe], drawn: Drawn, min_iou: float = MIN_IOU) -> tuple[int, int]:
    """:func:`edits_from_suggestion` and :func:`edits_from_nothing`, which have most of their work in common.

    Args:
        min_iou: how near the lines must come to the tube on every frame; work that is counted alike takes ``MIN_IOU``.
    """
    parts = _parts(drawn, min_iou)
    from_nothing = _from_nothing(parts)
    frames = np.array([key.frame for key in suggested])
    boxes = np.stack([key.box for key in suggested]).astype(np.float64)
    inner = {int(frame) for frame in frames[1:-1]}
    covered = {frame for frame in inner if any(a <= frame <= b for a, b in drawn.intervals)}
    cost = len(inner - covered)
    for part in parts:
        first, last = part.tube.start_frame, part.tube.end_frame
        cost += int(first != frames[0]) + int(last != frames[-1])
        held = {int(f) for f in frames if first <= f <= last}
        ends = {first, last}
        stops = []
        for frame in sorted(held | ends | set(part.useful)):
            choices = [(part.placed(frame), 1)]
            if frame in held | ends:
                box = np.array([np.interp(frame, frames, boxes[:, k]) for k in range(4)])
                if part.has(frame, box):
                    choices.append((Keyframe(frame, box), 0))
            stops.append((frame, choices))
        cost += _cheapest(part, stops, held - ends)
    return min(cost, DISCARD + from_nothing), from_nothing


class _Part:
    """One interval of a tube, and which lines between keyframes are known to fit it.

    Attributes:
        useful: where the simplifier sets keyframes, in both directions of time: neither is cheaper than the other.
    """

    def __init__(self, tube: Tube, min_iou: float) -> None:
        self.tube, self.min_iou = tube, min_iou
        backward = simplify(Tube(0, tube.boxes[::-1]), min_iou)
        forward = {key.frame for key in simplify(tube, min_iou)}
        self.useful = sorted(forward | {tube.end_frame - key.frame for key in backward})
        self._placed: dict[int, Keyframe] = {}
        self._fits: dict[tuple[int, int], bool] = {}

    def placed(self, frame: int) -> Keyframe:
        """A keyframe with the tube's own box; the same one each time."""
        if frame not in self._placed:
            self._placed[frame] = Keyframe(frame, self.tube.boxes[frame - self.tube.start_frame])
        return self._placed[frame]

    def has(self, frame: int, box: Array) -> bool:
        """Does a box fit on a frame?"""
        truth = self.tube.boxes[frame - self.tube.start_frame]
        return bool(box_iou(box[None].astype(np.float32), truth[None])[0] >= self.min_iou)

    def fits(self, start: Keyframe, end: Keyframe) -> bool:
        """Does a straight line fit on every frame in between?"""
        if end.frame - start.frame < 2:
            return True
        own = self._placed.get(start.frame) is start and self._placed.get(end.frame) is end
        known = self._fits.get((start.frame, end.frame)) if own else None
        if known is None:
            rows = slice(start.frame + 1 - self.tube.start_frame, end.frame - self.tube.start_frame)
            line = np.clip(between(start.box, end.box, end.frame - start.frame), 0.0, 1.0)
            known = bool(box_iou(line, self.tube.boxes[rows]).min() >= self.min_iou)
            if own:
                self._fits[start.frame, end.frame] = known
        return known


def _parts(drawn: Drawn, min_iou: float) -> list[_Part]:
    return [_Part(tube, min_iou) for tube in drawn.parts()]


def _from_nothing(parts: Sequence[_Part]) -> int:
    return sum(_cheapest(part, [(f, [(part.placed(f), 1)]) for f in part.useful], set()) for part in parts)


def _cheapest(part: _Part, stops: list[Stop], removable: set[int]) -> int:
    """Price of the cheapest keyframes from the part's first frame to its last, by dynamic programming over ``stops``.

    Passing over one of the ``removable`` frames costs one deletion.
    """
    gone = list(accumulate(frame in removable for frame, _ in stops))
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
    return int(min(price for key, price, _ in reached if key.frame == part.tube.end_frame))


def _first_fit(part: _Part, starts: Sequence[Keyframe], end: Keyframe) -> int | None:
    """The first of ``starts`` from which a straight line to ``end`` fits on every frame in between; None without one.

    A few frames of all lines at once sort out most of many: on a shaky tube nearly all fail.
    """
    likely = range(len(starts)) if len(starts) <= _FEW else _likely(part, starts, end)
    return next((i for i in likely if part.fits(starts[i], end)), None)


def _likely(part: _Part, starts: Sequence[Keyframe], end: Keyframe) -> list[int]:
    """Those whose line fits on the frames that were probed."""
    tube = part.tube
    frames = np.array([key.frame for key in starts])
    boxes = np.stack([key.box for key in starts]).astype(np.float64)
    probes = frames[:, None] + ((end.frame - frames)[:, None] * _PROBES).astype(np.int64)
    steps = (probes - frames[:, None])[..., None] / (end.frame - frames)[:, None, None]
    lines = boxes[:, None] + (end.box - boxes)[:, None] * steps
    truth = tube.boxes[probes - tube.start_frame]
    near = box_iou(lines.reshape(-1, 4), truth.reshape(-1, 4)).reshape(probes.shape) >= part.min_iou - _ROUNDING
    near |= (truth[..., 2:] <= truth[..., :2]).any(axis=-1)  # without area: met exactly or not at all, see fits()
    return [int(row) for row in np.flatnonzero(near.all(axis=1))]
