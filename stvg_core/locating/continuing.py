"""The model names one track, and a time that it does not last for: the object may go on as another candidate.

Proposers lose objects and find them again under another number. A track is continued by the candidate that overlaps it
best where it ends, and so on; where none does, the tube ends with the track.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.tube import Array, Track

ALIKE = 0.5
"""IoU of the last box with the other candidate's, from which on it is the same object."""
GAP = 15
"""Frames between the end of one and the beginning of the other, at most."""


def continued(track: Track, others: Sequence[Track], first: int, last: int) -> Track:
    """The track with what other candidates add to it between two frames, both included; itself where nothing does."""
    left = list(others)
    while int(track.frames[-1]) < last and (best := _next(track, left, forward=True)) is not None:
        track = _joined(track, best, best.frames > track.frames[-1])
        left = [one for one in left if one is not best]
    while int(track.frames[0]) > first and (best := _next(track, left, forward=False)) is not None:
        track = _joined(track, best, best.frames < track.frames[0])
        left = [one for one in left if one is not best]
    return track


def _next(track: Track, others: Sequence[Track], *, forward: bool) -> Track | None:
    """Who overlaps best just beyond the end, and reaches further; None where nobody does."""
    row = -1 if forward else 0
    end, box = int(track.frames[row]), track.boxes[row]
    steps = np.arange(end, end + GAP + 1) if forward else np.arange(end, end - GAP - 1, -1)
    found: list[tuple[float, Track]] = []
    for other in others:
        further = other.frames[-1] > end if forward else other.frames[0] < end
        here = other.at(steps)
        there = np.flatnonzero(np.isfinite(here).all(axis=1))
        if further and len(there):
            found.append((float(box_iou(here[there[0]], box)), other))
    best = max(found, key=lambda pair: pair[0], default=(0.0, track))
    return best[1] if best[0] >= ALIKE else None


def _joined(track: Track, other: Track, kept: Array) -> Track:
    frames = np.concatenate([track.frames, other.frames[kept]])
    boxes = np.concatenate([track.boxes, other.boxes[kept]])
    order = np.argsort(frames)
    return replace(track, frames=frames[order], boxes=boxes[order], masks=None)
