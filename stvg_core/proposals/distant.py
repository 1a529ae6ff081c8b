"""Small things that move far away, in front of a camera that stands still: people of some tens of pixels in a street.

:class:`stvg_core.proposals.motion.MedianMotion` looks at small pictures, in which they are a few pixels. Here the
pictures are large, grey, and only what is small and upright counts; larger things are found by the others.
"""

from __future__ import annotations

import cv2
import numpy as np

from stvg_core.proposals.detections import Detections
from stvg_core.proposals.motion import SMALLEST, changed_regions
from stvg_core.proposals.regions import to_lab
from stvg_core.tube import Array

SIDE = 1280
"""Longer side of the pictures that are looked at, in pixels; smaller ones are not enlarged."""
_PICTURES = 15  # for the background
_LEAST_HEIGHT = 14  # pixels
_LARGEST = 3 * SMALLEST  # of the picture's area
_SHAPE = 0.9, 6.0  # height by width
_MAX_FOREGROUND = 0.25  # of the picture: more differs, and the camera moves
_FLICKER = 0.5  # of the pictures: what differs from the median so often is no background


class DistantMotion:
    """Background model of one clip in large grey pictures."""

    def __init__(self, pictures: Array) -> None:
        """``pictures`` (K, H, W, 3) uint8 RGB spread over the clip."""
        greys = np.stack([_grey(picture) for picture in pictures[:: max(1, len(pictures) // _PICTURES)]])
        self._background = np.median(greys, axis=0).astype(np.uint8)
        apart = np.stack([cv2.absdiff(grey, self._background) for grey in greys])
        self._threshold = max(14.0, 6.0 * float(np.median(apart)))
        self._restless = (apart > self._threshold).mean(axis=0) > _FLICKER

    def detect(self, picture: Array) -> Detections:
        """Small upright regions that differ from the background in one ``(H, W, 3)`` uint8 RGB picture."""
        apart = cv2.absdiff(_grey(picture), self._background)
        mask = ((apart > self._threshold) & ~self._restless).astype(np.uint8)
        if mask.mean() > _MAX_FOREGROUND:
            return Detections.empty()
        # Heads, bodies and legs are joined upwards and downwards, people beside each other are not.
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 1), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))

        def small_and_upright(w: int, h: int, area: int) -> bool:
            return h >= _LEAST_HEIGHT and _SHAPE[0] * w <= h <= _SHAPE[1] * w and w * h <= _LARGEST * mask.size

        return changed_regions(
            mask, apart, 3 * self._threshold, lambda window: to_lab(np.ascontiguousarray(picture[window])),
            small_and_upright,
        )  # fmt: skip


def _grey(picture: Array) -> Array:
    return np.asarray(cv2.GaussianBlur(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), (3, 3), 0))
