"""From a detector's boxes on sparse frames to coarse tracks of the video."""

from __future__ import annotations

import numpy as np

from stvg_core.proposals.detections import Detections, suppress
from stvg_core.proposals.linking import Path, join_pieces, link
from stvg_core.proposals.regions import middle_colour, to_lab
from stvg_core.proposals.selection import temporal_iou
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.tube import Array

_DOUBLE = 0.7  # boxes of one picture, and tracks over time, that overlap more are one object
_PER_PICTURE = 24
# In sampled pictures: a third of a second lies between two of them, so that a path must be taken up again soon.
_MAX_GAP, _MAX_JOIN = 6, 12


def spread(n_frames: int, every: int, at_most: int) -> Array:
    """``(T,)`` int64 frames to look at: every so many, first and last included; in a long video ``at_most``, further
    apart.
    """
    count = min(-(-(n_frames - 1) // every) + 1, at_most)
    if count < at_most:
        return np.unique(np.append(np.arange(0, n_frames, every), n_frames - 1))
    return np.unique(np.linspace(0, n_frames - 1, max(1, count)).round().astype(np.int64))


def as_detections(picture: Array, boxes: Array, scores: Array) -> Detections:
    """One picture's normalised boxes as what linking compares: pixels and colours, without doubles."""
    if len(boxes) == 0:
        return Detections.empty()
    height, width = picture.shape[:2]
    pixels = boxes * np.array([width, height, width, height], np.float32)
    lab = to_lab(picture)
    colours = np.array([middle_colour(lab, box) for box in pixels], np.float32)
    return suppress(Detections(pixels.astype(np.float32), colours, scores.astype(np.float32)), _DOUBLE, _PER_PICTURE)


def tracks_of(
    found: list[Detections], frames: Array, size: tuple[int, int], *, source: str, label: str, at_most: int
) -> list[SightedTrack]:
    """Link the detections of ``T`` pictures.

    Args:
        found: ``T`` pictures' detections, in pixels.
        frames: ``(T,)`` the video frames of the pictures.
        size: ``(width, height)`` of the pictures in pixels.

    Returns:
        At most ``at_most`` tracks, best first. One that was seen once in many pictures is no track.
    """
    paths = join_pieces(link(found, max_gap=_MAX_GAP), max_gap=_MAX_JOIN)
    paths = [path for path in paths if len(path.steps) >= min(2, len(found))]
    tracks = [_track(path, frames, size, source, label) for path in paths]
    chosen: list[SightedTrack] = []
    for track in sorted(tracks, key=lambda track: (-track.score, int(track.frames[0]), float(track.boxes[0, 0]))):
        grids = [other.at(frames) for other in chosen]
        if len(chosen) < at_most and (not grids or temporal_iou(track.at(frames), np.stack(grids)).max() <= _DOUBLE):
            chosen.append(track)
    return chosen


def _track(path: Path, frames: Array, size: tuple[int, int], source: str, label: str) -> SightedTrack:
    width, height = size
    sighted = frames[path.steps]
    boxes = np.stack(path.boxes) / np.array([width, height, width, height], np.float32)
    known = sighted
    # Between two sampled frames the border lies halfway: there the first and the last box are held.
    if path.steps[0] > 0:
        middle = (frames[path.steps[0] - 1] + sighted[0] + 1) // 2
        if middle < sighted[0]:
            known, boxes = np.append(middle, known), np.concatenate([boxes[:1], boxes])
    if path.steps[-1] < len(frames) - 1:
        middle = (frames[path.steps[-1] + 1] + sighted[-1]) // 2
        if middle > sighted[-1]:
            known, boxes = np.append(known, middle), np.concatenate([boxes, boxes[-1:]])
    score = min(1.0, float(np.mean(path.scores)))
    return SightedTrack(
        known, boxes.clip(0, 1), score, source, label, sighted=sighted, confidence=np.array(path.scores, np.float32)
    )
