"""The chosen track of the embedded proposer, measured on every picture around its interval."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.proposals.believing import believed
from stvg_core.proposals.following import SOURCE
from stvg_core.proposals.resting import Course, acts, rests, steady
from stvg_core.proposals.tightening import Crop, main_colour, measure
from stvg_core.tube import Array, Track
from stvg_core.video import Pictures

_MARGIN, _MARGIN_OF_ALL, _MARGIN_S = 0.5, 0.15, 1.0
"""On both sides of the interval: of its own length, of the video's, in seconds; the longest of them. A second look
moves the ends no further."""
_RATE = 30.0  # pictures per second, no more
_MOST = 450  # pictures, no more
_SIDE = 72.0  # pixels that the object should have along a side
_SIDES = 320, 960  # of the longer side of what is looked at
_FOR_COLOUR = 12  # pictures
_KNOWN = 0.5  # of the pictures on which the object must be made out
_ALIKE = {"regions": 0.5, "motion": 0.75, "people": 0.75, SOURCE: 0.5}
"""IoU with the proposer's boxes, at the median: a measured box that is another one is the shirt and not the person."""


def exact(video: Pictures, track: Track, start: int, end: int) -> Track:
    """The track with measured boxes around frames ``start`` to ``end``, and when it acts there; itself where the object
    cannot be made out, and where its boxes are not this proposer's.

    A track along a drawn box keeps its boxes, whose margins are a person's choice.
    """
    if track.source not in _ALIKE or len(track.frames) < 2:
        return track
    frames = _around(track, start, end, video.info.n_frames, video.info.fps)
    if len(frames) < 3:
        return track
    width, height = video.info.width, video.info.height
    relative = float(np.median(np.sqrt((track.boxes[:, 2:] - track.boxes[:, :2]).prod(axis=1))))
    side = int(np.clip(_SIDE / max(relative * (width * height) ** 0.5 / max(width, height), 1e-3), *_SIDES))
    found, boxes = _measured(video, track, frames, side)
    if found is None:
        return track
    if track.source == SOURCE:
        return replace(track, acts=found)
    before, after = (track.frames < frames[0]), (track.frames > frames[-1])
    return replace(
        track,
        frames=np.concatenate([track.frames[before], frames, track.frames[after]]),
        boxes=np.concatenate([track.boxes[before], boxes, track.boxes[after]]),
        acts=found,
    )


def _around(track: Track, start: int, end: int, n_frames: int, fps: float) -> Array:
    """``(T,)`` frames that are looked at."""
    margin = round(max(_MARGIN * (end - start + 1), _MARGIN_OF_ALL * n_frames, _MARGIN_S * fps))
    first, last = max(start - margin, int(track.frames[0])), min(end + margin, int(track.frames[-1]))
    step = max(1, round(fps / _RATE), -(-(last - first + 1) // _MOST))
    return np.arange(first, last + 1, step)


def _measured(video: Pictures, track: Track, frames: Array, side: int) -> tuple[Array | None, Array]:
    """``(R, 2)`` acts and ``(T, 4)`` boxes; None where the object cannot be made out."""
    expected, crops = track.at(frames).astype(np.float64), []
    size = np.ones(4)
    for row, (_, picture) in enumerate(video.stream(frames, max_side=side)):
        size = np.tile(np.array(picture.shape[1::-1], np.float64), 2)
        crops.append(Crop.of(picture, expected[row] * size))
    expected *= size
    some = np.unique(np.linspace(0, len(frames) - 1, _FOR_COLOUR).round().astype(int))
    colour = main_colour([crops[row] for row in some], expected[some])
    if colour is None:
        return None, expected
    fps = video.info.fps * (len(frames) - 1) / float(frames[-1] - frames[0])
    found = measure(crops, expected, colour)
    boxes, known = believed(found.boxes, expected, fps, int(size[0]), int(size[1]))
    if known.mean() < _KNOWN or np.median(box_iou(found.boxes[known], expected[known])) < _ALIKE[track.source]:
        return None, expected
    course = Course.of(boxes, found.shown, known, fps)
    still = rests(course)
    rows = np.array(acts(still, course), np.int64).reshape(-1, 2)
    when = np.where(rows < 0, -1, frames[rows])
    return when, (steady(boxes, still, known, fps) / size).clip(0, 1)
