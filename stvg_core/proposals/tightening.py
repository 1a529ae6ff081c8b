"""The extents of one object on every picture, from its own colour against what is around it.

The proposals' boxes are whole pixels of small pictures, some per second. Here the one chosen object is looked at again,
larger and on every picture: how much of each pixel shows the object's colour is read between its colour and that of
the surroundings, and an edge lies where that crosses one half, between two pixels. Where most pictures show no such
object (it has no one colour, or the surroundings have the same), there is no answer, and the boxes stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.tube import Array

_LIGHTNESS = 0.8  # weight of L beside a and b
_GROWN = 0.4  # of the size on each side: where the object is looked for
_KEPT = 0.6  # what is kept of a picture: room for an object that is ahead of where it was expected
_NEAR = 30.0  # Lab units from the main colour that still belong to it
_LEAST = 16.0  # Lab units between object and surroundings, below which nothing is to be read
_HALF = 0.5
_SAME = 0.25  # IoU between what was found and what was expected, at least
_TAPER = 0.3, 2.6  # pixels wider per pixel: a tip. Less is a straight edge, more a round one
_BODY = 85  # percentile of the shares inside of the box: even a star fills so much


@dataclass(frozen=True)
class Crop:
    """The part of a picture around an object.

    Attributes:
        left, top: where the part begins in the picture, in pixels.
        lab: ``(h, w, 3)`` float32, lightness weighed less.
        size: width and height of the whole picture.
    """

    left: int
    top: int
    lab: Array
    size: tuple[int, int]

    @classmethod
    def of(cls, picture: Array, box: Array) -> Crop:
        """Around a box ``(4,)`` xyxy in pixels of a picture ``(H, W, 3)`` uint8 RGB."""
        left, top, right, bottom = _window(box, _KEPT, picture.shape[1], picture.shape[0])
        return cls(left, top, _lab(picture[top:bottom, left:right]), (picture.shape[1], picture.shape[0]))

    def within(self, box: Array, share: float) -> Crop:
        """The part of it that a box grown by a share of its size needs."""
        left, top, right, bottom = _window(box, share, *self.size)
        height, width = self.lab.shape[:2]
        left, right = (int(np.clip(x - self.left, 0, width)) for x in (left, right))
        top, bottom = (int(np.clip(y - self.top, 0, height)) for y in (top, bottom))
        return Crop(self.left + left, self.top + top, self.lab[top:bottom, left:right], self.size)

    def holds(self, box: Array) -> Array:
        """``(h, w)`` bool: pixels whose centre lies in a box of the picture."""
        height, width = self.lab.shape[:2]
        x, y = self.left + np.arange(width) + 0.5, self.top + np.arange(height) + 0.5
        inside: Array = ((y > box[1]) & (y < box[3]))[:, None] & ((x > box[0]) & (x < box[2]))[None]
        return inside


@dataclass(frozen=True)
class Sightings:
    """What was measured, one row per picture.

    Attributes:
        boxes: ``(T, 4)`` xyxy in pixels of the pictures, NaN where the object was not made out.
        shown: ``(T,)`` how strongly the object's colour is seen in its box, from 0 to about 1.
    """

    boxes: Array
    shown: Array


def main_colour(crops: Sequence[Crop], boxes: Array) -> Array | None:
    """The colour that boxes ``(K, 4)`` have more of than what surrounds them, ``(3,)``; None where there is none."""
    inside, around = [], []
    for crop, box in zip(crops, boxes, strict=True):
        part = crop.within(box, 0.3)
        inside.append(part.lab[part.holds(_grown(box, -0.08))])
        around.append(part.lab[~part.holds(_grown(box, 0.06))])
    one, other = np.concatenate(inside), np.concatenate(around)
    if len(one) < 16:
        return None
    cells, counts = np.unique((one // 8).astype(np.int64) @ _CELLS, return_counts=True)
    of_other = dict(zip(*np.unique((other // 8).astype(np.int64) @ _CELLS, return_counts=True), strict=True))
    excess = counts / len(one) - np.array([of_other.get(cell, 0) for cell in cells.tolist()]) / max(len(other), 1)
    best = int(cells[excess.argmax()])
    colour = np.array([best // 4096, best // 64 % 64, best % 64], np.float32) * 8 + 4
    for _ in range(4):
        near = one[np.linalg.norm(one - colour, axis=1) < _NEAR]
        if len(near) == 0:
            return None
        colour = near.mean(axis=0)
    return np.asarray(colour, np.float32)


def measure(crops: Sequence[Crop], expected: Array, colour: Array) -> Sightings:
    """Find the extents in each crop.

    Args:
        crops: T of them.
        expected: ``(T, 4)`` xyxy in pixels of the pictures, about where it is.
        colour: of :func:`main_colour`, as float32.
    """
    boxes, shown = np.full((len(expected), 4), np.nan), np.zeros(len(expected))
    drift = np.zeros(4)  # a fast object is ahead of a line between two proposals
    for row, (crop, box) in enumerate(zip(crops, expected, strict=True)):
        found, shown[row] = _extents(crop, box, box + drift, colour)
        if found is None:
            drift *= 0.7
        else:
            boxes[row], drift = found, found - box
    return Sightings(boxes, shown)


def _extents(whole: Crop, expected: Array, likely: Array, colour: Array) -> tuple[Array | None, float]:
    both = np.concatenate([np.minimum(expected, likely)[:2], np.maximum(expected, likely)[2:]])
    crop = whole.within(both, _GROWN)
    if min(crop.lab.shape[:2]) < 3:
        return None, 0.0
    apart_from = crop.lab - colour
    distance = np.sqrt(np.einsum("yxc,yxc->yx", apart_from, apart_from))
    some = slice(None, None, 2)  # every other pixel and line is enough for a median
    outside = ~crop.holds(_grown(both, 0.06))[some, some]
    apart = float(np.median(distance[some, some][outside])) if outside.any() else 0.0
    if apart < _LEAST:
        return None, 0.0
    share = (1 - distance / apart).clip(0, 1)
    within = crop.holds(likely)
    inside = share[some, some][within[some, some]]
    shown = float(np.percentile(inside, _BODY)) if len(inside) else 0.0
    mask = _own_part(share > _HALF, within)
    if mask is None:
        return None, shown
    share = share * cv2.dilate(mask, np.ones((3, 3), np.uint8))
    x1, x2 = _edges(share, 0)
    y1, y2 = _edges(share, 1)
    found = np.array([x1 + crop.left, y1 + crop.top, x2 + crop.left, y2 + crop.top]).clip(0, crop.size * 2)
    same = max(box_iou(found[None], likely[None])[0], box_iou(found[None], expected[None])[0])
    return (found if same >= _SAME else None), shown


def _own_part(mask: Array, within: Array) -> Array | None:
    """``(h, w)`` uint8: the piece that most of the expected box shows, with smaller ones that lie inside of it."""
    count, labels = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)
    if count == 1:
        return None
    inside, whole = (np.bincount(part, minlength=count) for part in (labels[within], labels.ravel()))
    inside[0] = 0
    best = int(inside.argmax())
    if inside[best] < 4:
        return None
    kept = (inside > 0.8 * whole) & (inside > 0.08 * inside[best])
    kept[best], kept[0] = True, False
    return np.asarray(kept[labels].astype(np.uint8))


def _edges(share: Array, axis: int) -> tuple[float, float]:
    """Where the shares ``(h, w)`` first and last cross one half along an axis (0: x), in pixels from the start."""
    strongest, wide = share.max(axis=axis), share.sum(axis=axis)
    return _edge(strongest, wide), len(wide) - _edge(strongest[::-1], wide[::-1])


def _edge(strongest: Array, wide: Array) -> float:
    """The edge at the start of a profile ``(N,)``: the largest share in each line of pixels, and their sum.

    A tip is thinner than a pixel before it ends, and blurred: where the object widens evenly from the edge on, the edge
    is where a straight line through its widths begins.
    """
    first = int((strongest > _HALF).argmax())
    before = float(strongest[first - 1]) if first > 0 else 1.0
    edge = float(first) if first == 0 else first - 0.5 + (_HALF - before) / (float(strongest[first]) - before)
    size = int((strongest > _HALF).sum())
    lines = np.arange(first + 1, first + 1 + max(4, size // 8))
    if first == 0 or size < 2 * len(lines):
        return edge
    middle, widths = lines.mean() + 0.5, wide[lines]
    steps = lines + 0.5 - middle
    slope = float(steps @ widths / (steps @ steps))
    off = float(np.abs(widths - widths.mean() - slope * steps).mean())
    if not _TAPER[0] < slope < _TAPER[1] or off > max(0.5, 0.1 * slope * len(lines)):
        return edge
    tip = middle - float(widths.mean()) / slope
    return float(min(edge, max(tip, edge - len(lines) / 2)))


_CELLS = np.array([4096, 64, 1])


def _lab(picture: Array) -> Array:
    lab = cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2LAB).astype(np.float32)
    lab[..., 0] *= _LIGHTNESS
    return np.asarray(lab)


def _grown(box: Array, share: float) -> Array:
    sides = np.maximum(box[2:] - box[:2], 1.0)
    return np.concatenate([box[:2] - share * sides, box[2:] + share * sides])


def _window(box: Array, share: float, width: int, height: int) -> tuple[int, int, int, int]:
    """Whole pixels around a box grown by a share of its size, at least three on each side, inside of the picture."""
    x1, y1, x2, y2 = _grown(box, share)
    left, top = max(int(min(x1, box[0] - 3)), 0), max(int(min(y1, box[1] - 3)), 0)
    return left, top, min(int(max(x2, box[2] + 3)) + 1, width), min(int(max(y2, box[3] + 3)) + 1, height)
