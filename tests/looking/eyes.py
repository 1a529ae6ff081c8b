"""Coloured shapes in pictures, followed from one to the next, and when they begin and end to move or to change size."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from stvg_core.demo.domain import DIRECTIONS, FINITE_VERB, PALETTE, SHAPES
from stvg_core.demo.drawing import OUTLINES

STEPS = 120
"""So finely are beginnings and ends tried."""


@dataclass(frozen=True)
class Wanted:
    """What a sentence names."""

    colour: str
    shape: str
    action: str


@dataclass(frozen=True)
class Blob:
    """A coloured patch: ``x1, y1, x2, y2`` in pixels, and how much it looks like the wanted shape, in [0, 1]."""

    box: np.ndarray
    likeness: float

    @property
    def centre(self) -> np.ndarray:
        return (self.box[:2] + self.box[2:]) / 2


@dataclass
class Trace:
    """One thing through the pictures: their numbers from 0, and where it is in them."""

    pictures: list[int] = field(default_factory=list)
    blobs: list[Blob] = field(default_factory=list)


def understand(sentence: str) -> Wanted:
    """Raises ValueError for a sentence that is not of the domain."""
    words = sentence.lower().rstrip(".").split()
    colour = next(word for word in words if word in PALETTE)
    shape = next(word for word in words if word in SHAPES)
    for action, verb in FINITE_VERB.items():
        if action in sentence.lower() or verb in sentence.lower():
            return Wanted(colour, shape, action)
    raise ValueError(sentence)


def traces(pictures: list[np.ndarray], wanted: Wanted) -> list[Trace]:
    """Everything of the wanted colour that looks somewhat like the wanted shape, followed through the pictures."""
    found: list[Trace] = []
    for number, picture in enumerate(pictures):
        left = _blobs(picture, wanted)
        pairs = sorted(
            (_apart(trace, number, blob), t, b)
            for t, trace in enumerate(found)
            for b, blob in enumerate(left)
            if number - trace.pictures[-1] <= 3
        )
        taken: set[tuple[str, int]] = set()
        for distance, t, b in pairs:
            if ("t", t) in taken or ("b", b) in taken or distance > 0.3 * max(picture.shape):
                continue
            taken |= {("t", t), ("b", b)}
            found[t].pictures.append(number)
            found[t].blobs.append(left[b])
        found += [Trace([number], [blob]) for b, blob in enumerate(left) if ("b", b) not in taken]
    return [trace for trace in found if len(trace.pictures) >= max(2, len(pictures) // 4)]


def _apart(trace: Trace, number: int, blob: Blob) -> float:
    """Pixels between a patch and where a thing should be by now, and more for other looks or another size."""
    last, ago = trace.blobs[-1], number - trace.pictures[-1]
    ahead = last.centre
    if len(trace.blobs) > 1:
        ahead = last.centre + (last.centre - trace.blobs[-2].centre) * ago / (trace.pictures[-1] - trace.pictures[-2])
    way = min(float(np.abs(ahead - blob.centre).max()), float(np.abs(last.centre - blob.centre).max()))
    looks = float(np.median([one.likeness for one in trace.blobs]))
    sides = np.abs(np.log((blob.box[2:] - blob.box[:2]) / (last.box[2:] - last.box[:2]))).max()
    return way + 80 * abs(looks - blob.likeness) + 40 * float(sides)


def _blobs(picture: np.ndarray, wanted: Wanted) -> list[Blob]:
    names = list(PALETTE)
    smooth = cv2.medianBlur(picture, 3).astype(int)
    apart = np.stack([np.abs(smooth - np.array(PALETTE[name])).sum(axis=-1) for name in names])
    mask = ((apart.argmin(axis=0) == names.index(wanted.colour)) & (apart.min(axis=0) < 130)).astype(np.uint8)
    if wanted.colour == "white":  # what is white around a painted number is no object
        red = (picture[..., 0] > 190) & (picture[..., 1:].max(axis=-1) < 80)
        mask &= 1 - cv2.dilate(red.astype(np.uint8), np.ones((9, 9), np.uint8))
    # A painted number makes a hole in the patch.
    mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    found = []
    for label in range(1, count):
        left, top, width, height, area = stats[label]
        if min(width, height) >= 0.07 * min(picture.shape[:2]) and area > 0.2 * width * height:
            part = (labels[top : top + height, left : left + width] == label).astype(np.uint8)
            box = np.array([left, top, left + width, top + height], float)
            found.append(Blob(box, _likeness(part, wanted.shape)))
    return found


def _likeness(part: np.ndarray, shape: str) -> float:
    """IoU with the shape, less that with the shape that it is most like; a number in the middle is not counted."""
    overlaps = {name: _overlap(part, name) for name in OUTLINES}
    return 1.0 + overlaps[shape] - max(overlaps.values())


def _overlap(part: np.ndarray, shape: str) -> float:
    height, width = part.shape
    ideal = np.zeros((height, width), np.uint8)
    outlines = [
        np.round((path + 1) / 2 * np.array([width - 1, height - 1]) * 16).astype(np.int32) for path in OUTLINES[shape]
    ]
    cv2.fillPoly(ideal, outlines, 1, cv2.LINE_AA, 4)
    return float((part & ideal).sum() / max(1, (part | ideal).sum()))


def clear(trace: Trace, action: str) -> Trace:
    """Without the pictures in which it is hidden in part, or joined with another thing of its colour."""
    sizes = np.array([np.sqrt((blob.box[2:] - blob.box[:2]).prod()) for blob in trace.blobs])
    likeness = np.array([blob.likeness for blob in trace.blobs])
    if action not in DIRECTIONS:
        return trace  # its size changes, and with it how much a painted number hides
    good = (likeness >= np.median(likeness) - 0.1) & (np.abs(np.log(sizes / np.median(sizes))) < 0.12)
    kept = np.flatnonzero(good)
    return Trace([trace.pictures[n] for n in kept], [trace.blobs[n] for n in kept])


def measure(trace: Trace, action: str) -> np.ndarray:
    """``(N,)`` what rises while the action is done: the way in its direction in pixels, or the size's logarithm."""
    if action in DIRECTIONS:
        return np.stack([blob.centre for blob in trace.blobs]) @ np.array(DIRECTIONS[action], float)
    sizes = np.stack([blob.box[2:] - blob.box[:2] for blob in trace.blobs])
    sign = 1.0 if action == "growing" else -1.0
    return sign * 100 * np.log(np.sqrt(sizes.prod(axis=1)))


def ramp(times: np.ndarray, values: np.ndarray) -> tuple[float, float, float]:
    """Start, end and rise of the best "level, straight up, level" through values, by the least error."""
    grid = np.linspace(times[0], times[-1], STEPS)
    first, last = np.triu_indices(STEPS, k=1)
    starts, ends = grid[first], grid[last]
    share = np.clip((times[None] - starts[:, None]) / (ends - starts)[:, None], 0, 1)
    centred, wanted = share - share.mean(axis=1, keepdims=True), values - values.mean()
    slope = (centred @ wanted) / np.maximum((centred**2).sum(axis=1), 1e-9)
    errors = np.abs(wanted[None] - slope[:, None] * centred).sum(axis=1)
    best = int(errors.argmin())
    return float(starts[best]), float(ends[best]), float(slope[best])


def bend(times: np.ndarray, values: np.ndarray, which: str) -> tuple[float, float]:
    """When a level becomes a straight rise ("start"), or a rise a level ("end"); and the rise per second."""
    grid = np.linspace(times[0], times[-1], 2 * STEPS)
    away = times[None] - grid[:, None]
    moved = np.maximum(away, 0) if which == "start" else np.minimum(away, 0)
    centred, wanted = moved - moved.mean(axis=1, keepdims=True), values - values.mean()
    slope = (centred @ wanted) / np.maximum((centred**2).sum(axis=1), 1e-9)
    errors = ((wanted[None] - slope[:, None] * centred) ** 2).sum(axis=1)
    best = int(errors.argmin())
    return float(grid[best]), float(slope[best])
