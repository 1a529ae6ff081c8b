"""One box on one frame, drawn by a person: where is that object on the other frames?

The embedded way. What the detectors find is linked from the drawn frame on, once forwards and once backwards; the path
that begins in the drawn box is the object. A person draws a little looser or tighter than a detector: the margins
between the two boxes stay with the object. Where nothing is found under the box, it is held as long as the pictures
under it stay alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.errors import QueryError
from stvg_core.proposals.detections import Detections
from stvg_core.proposals.linking import Path, join_pieces, link
from stvg_core.proposals.regions import middle_colour, to_lab
from stvg_core.proposals.selection import colour_sums, fill
from stvg_core.tube import Array, Track, VideoInfo

SOURCE = "drawn"
_SAME = 0.5  # IoU from which on a detection is what was drawn
_PATCH = 16  # pixels along each side of what is compared under a held box
_ALIKE = 12.0  # mean Lab difference up to which two patches show the same


@dataclass(frozen=True)
class DrawnBox:
    """What a person drew.

    Attributes:
        frame: 0-based.
        box: ``(4,)`` float32 normalised xyxy.
    """

    frame: int
    box: Array

    def __post_init__(self) -> None:
        box = np.asarray(self.box, dtype=np.float32)
        if box.shape != (4,) or not np.isfinite(box).all():
            raise QueryError("The drawn box needs four numbers: x1, y1, x2, y2.")
        box = box.clip(0.0, 1.0)
        if box[0] >= box[2] or box[1] >= box[3]:
            raise QueryError("The drawn box is empty, or lies outside of the picture: draw it around the object.")
        object.__setattr__(self, "box", box)

    def check(self, info: VideoInfo) -> None:
        """:class:`QueryError` where the video has no such frame."""
        if not 0 <= self.frame < info.n_frames:
            raise QueryError(
                f"The box is drawn on frame {self.frame}, the video has frames 0 to {info.n_frames - 1} "
                "(counted from 0)."
            )

    def to_json(self) -> dict[str, Any]:
        return {"frame": int(self.frame), "box": [round(float(value), 6) for value in self.box]}


def pinned(track: Track, drawn: DrawnBox) -> Track:
    """The track with exactly the drawn box on its frame."""
    row = int(np.searchsorted(track.frames, drawn.frame))
    there = row < len(track.frames) and track.frames[row] == drawn.frame
    frames = track.frames if there else np.insert(track.frames, row, drawn.frame)
    boxes = track.boxes.copy() if there else np.insert(track.boxes, row, drawn.box, axis=0)
    boxes[row] = drawn.box
    masks = track.masks
    if masks is not None:  # what the mask covers of the drawn box is not known
        masks = masks.copy() if there else np.insert(masks, row, 0, axis=0)
        masks[row] = 0
    return replace(track, frames=frames, boxes=boxes, masks=masks)


def follow_detections(sources: Sequence[list[Detections]], pictures: Array, indices: Array, drawn: DrawnBox) -> Track:
    """Follow the drawn box through detections.

    Args:
        sources: for each detector, what it found in each of the ``T`` pictures, in pixels.
        pictures: ``(T, H, W, 3)`` uint8 RGB.
        indices: ``(T,)`` their frames, strictly increasing; the drawn one is among them.

    Returns:
        The track over every picture on which the object is taken to be there; the drawn box is in it exactly.
    """
    height, width = pictures.shape[1:3]
    size = np.array([width, height, width, height], np.float32)
    step, box = int(np.searchsorted(indices, drawn.frame)), drawn.box * size
    sums = [colour_sums(to_lab(picture)) for picture in pictures]
    paths = [path for found in sources for path in _through(found, step, box, pictures[step])]
    # The detector that keeps the object for longest; of those, the one whose box is nearest to the drawn one.
    best = max(paths, key=lambda path: (len(path.steps), float(box_iou(_at(path, step), box))), default=None)
    if best is None or len(best.steps) == 1:
        boxes = _held(pictures, step, box)
    else:
        boxes = _with_margins(fill(best, len(pictures), sums), _at(best, step), box)
    there = np.isfinite(boxes).all(axis=1)
    normalised = (boxes[there] / size).clip(0, 1)
    keep = (normalised[:, 2] > normalised[:, 0]) & (normalised[:, 3] > normalised[:, 1])
    keep |= indices[there] == drawn.frame
    return pinned(Track(indices[there][keep], normalised[keep], 1.0, SOURCE), drawn)


def _through(found: list[Detections], step: int, drawn: Array, picture: Array) -> list[Path]:
    """The path through one detector's boxes that passes through the drawn one; none where it did not see it."""
    here = found[step]
    iou = box_iou(drawn, here.boxes)
    if len(iou) and iou.max() >= _SAME:
        row = int(iou.argmax())
        seed, others = here.take(np.array([row])), np.flatnonzero(iou < _SAME)
    else:
        colour = middle_colour(to_lab(picture), drawn)
        seed = Detections(drawn[None].astype(np.float32), colour[None].astype(np.float32), np.ones(1, np.float32))
        others = np.arange(len(here))
    first = Detections.join([seed, here.take(others)])
    ahead = _begun([first, *found[step + 1 :]], seed.boxes[0])
    behind = _begun([first, *found[:step][::-1]], seed.boxes[0])
    order = [(step - n, box, score) for n, box, score in zip(behind.steps, behind.boxes, behind.scores, strict=True)]
    order = order[:0:-1]  # oldest first, without the drawn picture, which the way ahead has too
    order += [(step + n, box, score) for n, box, score in zip(ahead.steps, ahead.boxes, ahead.scores, strict=True)]
    return [Path([one[0] for one in order], [one[1] for one in order], [one[2] for one in order], ahead.colour)]


def _begun(found: list[Detections], seed: Array) -> Path:
    """The path that begins with the seed in the first picture, with the pieces that fit on to it."""
    paths = [path for path in link(found) if len(path.steps) > 1 or path.steps[0] == 0]
    return next(p for p in join_pieces(paths) if p.steps[0] == 0 and np.array_equal(p.boxes[0], seed))


def _at(path: Path, step: int) -> Array:
    return path.boxes[path.steps.index(step)]


def _with_margins(boxes: Array, detected: Array, drawn: Array) -> Array:
    """``(T, 4)`` boxes with the drawn box's margins around the detected one, as shares of its size."""
    sides = np.tile(np.maximum(detected[2:] - detected[:2], 1.0), 2)
    share = (drawn - detected) / sides
    grown: Array = boxes + share * np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    return grown


def _held(pictures: Array, step: int, drawn: Array) -> Array:
    """``(T, 4)``: the drawn box, from its picture on both ways, as long as what it shows stays alike; else NaN."""
    boxes = np.full((len(pictures), 4), np.nan, np.float32)
    own = _patch(pictures[step], drawn)
    boxes[step] = drawn
    for way in (range(step + 1, len(pictures)), range(step - 1, -1, -1)):
        for other in way:
            if np.abs(_patch(pictures[other], drawn) - own).mean() > _ALIKE:
                break
            boxes[other] = drawn
    return boxes


def _patch(picture: Array, box: Array) -> Array:
    height, width = picture.shape[:2]
    x1, y1 = np.clip(np.floor(box[:2]).astype(int), 0, (width - 1, height - 1))
    x2, y2 = np.clip(np.ceil(box[2:]).astype(int), (x1 + 1, y1 + 1), (width, height))
    small = cv2.resize(to_lab(picture[y1:y2, x1:x2].copy()), (_PATCH, _PATCH), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.float32)
