"""Upright people by histograms of oriented gradients (Dalal and Triggs 2005), as OpenCV ships them."""

from __future__ import annotations

import cv2
import numpy as np

from stvg_core.proposals.detections import Detections
from stvg_core.proposals.regions import middle_colour, to_lab
from stvg_core.tube import Array

_SIDE = 480  # longer side of what is searched; the detector's window is 64 x 128
_HIT = -0.3  # below OpenCV's default of 0: linking over time removes what does not persist
_WIDTH, _HEIGHT = 0.7, 0.8  # the share of the window that the person fills


class PeopleDetector:
    """Finds standing and walking people at least about a quarter of the picture high."""

    def __init__(self) -> None:
        self._hog = cv2.HOGDescriptor()
        self._hog.setSVMDetector(cv2.HOGDescriptor.getDefaultPeopleDetector())

    def any_in(self, pictures: Array) -> bool:
        """Whether a quick look at ``(T, H, W, 3)`` finds at least one person it is sure of."""
        return any(len(self._search(picture, hit=0.3, scale=1.1)[0]) > 0 for picture in pictures)

    def detect(self, picture: Array) -> Detections:
        """People in one ``(H, W, 3)`` uint8 RGB picture."""
        windows, weights = self._search(picture, hit=_HIT, scale=1.05)
        if len(windows) == 0:
            return Detections.empty()
        centre = windows[:, :2] + windows[:, 2:] / 2
        half = windows[:, 2:] * (_WIDTH / 2, _HEIGHT / 2)
        height, width = picture.shape[:2]
        boxes = np.concatenate([centre - half, centre + half], axis=1).clip(0, (width, height, width, height))
        lab = to_lab(picture)
        colours = [middle_colour(lab, box) for box in boxes]
        scores = 0.5 + 0.5 * np.clip(weights, 0, 1)
        return Detections(boxes.astype(np.float32), np.array(colours, np.float32), scores.astype(np.float32))

    def _search(self, picture: Array, *, hit: float, scale: float) -> tuple[Array, Array]:
        factor = _SIDE / max(picture.shape[:2])
        enlarged = cv2.resize(picture, None, fx=factor, fy=factor)
        if enlarged.shape[0] < 128 or enlarged.shape[1] < 64:
            return np.zeros((0, 4)), np.zeros(0)
        windows, weights = self._hog.detectMultiScale(
            enlarged, hitThreshold=hit, winStride=(8, 8), padding=(16, 16), scale=scale
        )
        return np.asarray(windows, np.float64).reshape(-1, 4) / factor, np.asarray(weights, np.float64).ravel()
