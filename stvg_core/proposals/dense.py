"""Which frames the chosen track is made dense on, and how the dense boxes and the coarse ones become one track."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stvg_core.proposals.sightings import sightings
from stvg_core.tube import Array, Track

MARGIN_S = 1.0
MARGIN_SHARE = 0.25
"""Room on both sides of the interval, in seconds or of its length, whichever is more: its ends may still move."""
MAX_FRAMES = 1500
"""So many frames are looked at, at most; in a longer window every second, third, ... and straight lines in between."""
MAX_SEEDS = 4
"""Each seeded frame is in the tracker's memory for good, and every other frame is compared with all of them."""
_REACH_S = 10.0  # so far outside the window a sighting is fetched from if there is none inside


@dataclass(frozen=True)
class Plan:
    """``frames`` (N,) int64 to look at; ``seeds``: position in them -> (4,) normalised box, the surest first."""

    frames: Array
    seeds: dict[int, Array]


def plan(track: Track, start: int, end: int, n_frames: int, fps: float) -> Plan | None:
    """The window around an interval (both ends included) and what the tracker is shown; None where the track was
    nowhere seen near it.
    """
    margin = round(max(MARGIN_S * fps, MARGIN_SHARE * (end - start + 1)))
    first, last = max(0, start - margin), min(n_frames - 1, end + margin)
    sighted, confidence = sightings(track)
    away = np.maximum(np.maximum(first - sighted, sighted - last), 0)
    if away.min() > _REACH_S * fps:
        return None
    if away.min() > 0:
        nearest = int(sighted[away.argmin()])
        first, last = min(first, nearest), max(last, nearest)
    inside = (sighted >= first) & (sighted <= last)
    shown = _surest(sighted[inside], confidence[inside], last - first + 1)
    stride = -(-(last - first + 1) // MAX_FRAMES)
    frames = np.union1d(np.append(np.arange(first, last + 1, stride), last), shown).astype(np.int64)
    boxes = track.at(shown)
    positions = np.searchsorted(frames, shown)
    return Plan(frames, {int(position): box for position, box in zip(positions, boxes, strict=True)})


def _surest(sighted: Array, confidence: Array, length: int) -> Array:
    """At most ``MAX_SEEDS`` sightings, the surest first, spread over the window."""
    apart = length / (2 * MAX_SEEDS)
    chosen: list[int] = []
    for row in np.argsort(-confidence, kind="stable"):
        if len(chosen) < MAX_SEEDS and all(abs(int(sighted[row]) - other) >= apart for other in chosen):
            chosen.append(int(sighted[row]))
    return np.array(chosen, dtype=np.int64)


def plan_all(tracks: Sequence[Track], n_frames: int) -> tuple[Array, list[dict[int, Array]]]:
    """The frames of the whole video on which all tracks are followed, ``(N,)`` int64, and what the tracker is shown of
    each: position in them -> (4,) normalised box, in the order of time.
    """
    shown = [np.sort(_surest(*sightings(track), n_frames)) for track in tracks]
    stride = -(-n_frames // MAX_FRAMES)
    frames = np.unique(np.concatenate([np.arange(0, n_frames, stride), [n_frames - 1], *shown])).astype(np.int64)
    seeds = [
        dict(zip(np.searchsorted(frames, seen).tolist(), track.at(seen), strict=True))
        for track, seen in zip(tracks, shown, strict=True)
    ]
    return frames, seeds


def merge(track: Track, frames: Array, dense: Array, masks: Array | None = None) -> Track:
    """The coarse track with its part between ``frames[0]`` and ``frames[-1]`` replaced.

    Args:
        track: the coarse track.
        frames: ``(N,)`` the frames that were looked at.
        dense: ``(N, 4)`` normalised boxes, NaN where the tracker lost the object: there the coarse box holds. Beyond
            the ends of the coarse track it goes on as long as the tracker sees the object without a break.
        masks: ``(N, m, m)`` uint8 in the dense boxes, see :class:`Track`; None where they are not wanted. A coarse box
            has none.
    """
    coarse = track.at(frames)
    boxes = np.where(np.isfinite(dense).all(axis=1, keepdims=True), dense, coarse)
    there = np.asarray(np.isfinite(boxes).all(axis=1))
    own = np.flatnonzero(np.isfinite(coarse).all(axis=1))
    if len(own):
        gaps = np.flatnonzero(~there)
        before, after = gaps[gaps < own[0]], gaps[gaps > own[-1]]
        there[: before.max(initial=-1) + 1] = False
        there[after.min(initial=len(frames)) :] = False
    else:
        there[:] = False  # the window lies outside the track, and nothing ties a mask there to it
    outside = (track.frames < frames[0]) | (track.frames > frames[-1])
    if not there.any():
        return track
    known = np.concatenate([track.frames[outside], frames[there]])
    every = np.concatenate([track.boxes[outside], boxes[there]])
    order = np.argsort(known)
    if masks is not None:
        seen = np.asarray(np.isfinite(dense).all(axis=1))[:, None, None]
        before = np.zeros((len(track.frames), *masks.shape[1:]), np.uint8) if track.masks is None else track.masks
        masks = np.concatenate([before[outside], np.where(seen, masks, np.uint8(0))[there]])[order]
    return dataclasses.replace(track, frames=known[order], boxes=every[order].clip(0, 1), masks=masks)
