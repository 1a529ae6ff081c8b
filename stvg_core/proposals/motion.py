"""Regions that differ from the clip's median picture: what moves in front of a camera that stands still."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from stvg_core.proposals.detections import Detections
from stvg_core.proposals.regions import to_lab
from stvg_core.tube import Array

SMALLEST = 0.002
"""Of the picture's area: what is smaller is not found here."""
_MAX_AREA = 0.5
Window = tuple[slice, slice]
_SPECK, _MAX_SPECKLED = 12, 0.15  # pixels, at least; and of the picture, at most, that changes beside specks
_MAX_FOREGROUND = 0.6  # more than this differs: the camera moves or the scene has changed


class MedianMotion:
    """Background model of one clip: the median over time and how much each pixel varies by noise."""

    def __init__(self, pictures: Array) -> None:
        """``pictures`` (T, H, W, 3) uint8 RGB spread over the clip."""
        labs = np.stack([to_lab(picture) for picture in pictures[:: max(1, len(pictures) // 24)]])
        self._median = np.median(labs, axis=0).astype(np.int16)
        noise = np.median(np.abs(labs.astype(np.int16) - self._median))
        self._threshold = max(16.0, 6.0 * float(noise))

    def has_specks(self, pictures: Array) -> bool:
        """Whether most of some pictures show two or more upright changes that are too small to be found here."""
        seen = 0
        for picture in pictures:
            mask = self._change(to_lab(picture)) > self._threshold
            if mask.mean() > _MAX_SPECKLED:
                return False
            mask = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 1), np.uint8))
            stats = cv2.connectedComponentsWithStats(mask, connectivity=8)[2][1:]
            w, h, area = stats[:, 2], stats[:, 3], stats[:, 4]
            seen += ((area >= _SPECK) & (area < SMALLEST * mask.size) & (h >= w)).sum() >= 2
        return bool(2 * seen > len(pictures))

    def _change(self, lab: Array) -> Array:
        change: Array = np.abs(lab.astype(np.int16) - self._median).sum(axis=2)
        return change

    def detect(self, picture: Array) -> Detections:
        """Moving regions of one ``(H, W, 3)`` uint8 RGB picture."""
        lab = to_lab(picture)
        change = self._change(lab)
        mask = (change > self._threshold).astype(np.uint8)
        if mask.mean() > _MAX_FOREGROUND:
            return Detections.empty()
        # Bodies fall apart where clothes match the background; upright gaps are closed further than sideways ones.
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 5), np.uint8))
        return changed_regions(
            mask, change, 4 * self._threshold, lambda window: lab[window],
            lambda w, h, area: SMALLEST < area / mask.size < _MAX_AREA,
        )  # fmt: skip


def changed_regions(
    mask: Array, change: Array, strong: float, lab: Callable[[Window], Array], fits: Callable[[int, int, int], bool]
) -> Detections:
    """The connected regions of a mask.

    Args:
        mask: ``(H, W)`` uint8.
        change: ``(H, W)`` how far each pixel is from the background; from ``strong`` on a region has the full score.
        lab: the Lab colours of a part of the picture, ``(h, w, 3)`` uint8.
        fits: width, height and area of a region in pixels: is it one that is looked for?
    """
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    boxes, colours, scores = [], [], []
    for label in range(1, len(stats)):
        x, y, w, h, area = stats[label]
        if not fits(w, h, area):
            continue
        window = (slice(y, y + h), slice(x, x + w))
        inside = (labels[window] == label).astype(np.uint8)
        boxes.append((x, y, x + w, y + h))
        colours.append(cv2.mean(lab(window), inside)[:3])
        strength = float(change[window][inside > 0].mean()) / strong
        scores.append(min(1.0, area / (0.5 * w * h)) * min(1.0, strength))
    if not boxes:
        return Detections.empty()
    return Detections(np.array(boxes, np.float32), np.array(colours, np.float32), np.array(scores, np.float32))
