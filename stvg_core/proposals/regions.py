"""Regions of even colour that stand out from what is around them.

The colours of the whole clip are clustered once (k-means in Lab at a coarse and a fine count, kept as a lookup table);
in each picture the connected components of every cluster are candidates, scored by the contrast to their surroundings
and by how well they fill their box. No motion is needed, so things that stand still are found too.
"""

from __future__ import annotations

import cv2
import numpy as np

from stvg_core.proposals.detections import Detections, suppress
from stvg_core.tube import Array

_BITS = 6  # of each Lab channel in the lookup table
_COUNTS = (8, 20)  # clusters: few keep a shaded object whole, many part it from a similar background
_MIN_AREA, _MAX_AREA = 0.0012, 0.45  # of the picture
_PER_PICTURE = 40


class ColourRegions:
    """Colour clusters of one clip."""

    def __init__(self, pictures: Array, *, seed: int = 0) -> None:
        """``pictures`` (T, H, W, 3) uint8 RGB: a few that stand for the clip."""
        rng = np.random.default_rng(seed)
        lab = np.concatenate([to_lab(picture)[::2, ::2].reshape(-1, 3) for picture in pictures])
        pixels = lab[rng.integers(0, len(lab), 16_000)].astype(np.float32)
        # Rare colours count as much as common ones: one pixel per occupied cell of the colour cube, beside raw ones.
        _, first = np.unique((pixels // 8).astype(np.int64) @ np.array([1024, 32, 1]), return_index=True)
        pixels = np.concatenate([pixels[:6000], np.repeat(pixels[first], max(1, 6000 // len(first)), axis=0)])
        cells = (np.indices((1 << _BITS,) * 3).reshape(3, -1).T * (256 >> _BITS) + (128 >> _BITS)).astype(np.float32)
        cv2.setRNGSeed(seed)
        stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 12, 0.5)
        self._tables: list[Array] = []
        for count in _COUNTS:
            _, _, centres = cv2.kmeans(pixels, count, None, stop, 1, cv2.KMEANS_PP_CENTERS)
            distance = (centres**2).sum(axis=1)[None, :] - 2 * cells @ centres.T
            self._tables.append(distance.argmin(axis=1).astype(np.uint8))

    def detect(self, picture: Array) -> Detections:
        """Regions of one ``(H, W, 3)`` uint8 RGB picture."""
        lab = to_lab(picture)
        cell = lab.astype(np.int32) >> (8 - _BITS)
        index = (cell[..., 0] << (2 * _BITS)) | (cell[..., 1] << _BITS) | cell[..., 2]
        sums = cv2.integral(lab.astype(np.float32), sdepth=cv2.CV_64F)
        parts = [Detections.empty()]
        for table in self._tables:
            parts.append(_components(cv2.medianBlur(table[index], 3), lab, sums))
        return suppress(Detections.join(parts), 0.8, _PER_PICTURE)


def to_lab(picture: Array) -> Array:
    """``(H, W, 3)`` uint8 RGB -> uint8 Lab, sensor noise smoothed."""
    lab: Array = cv2.cvtColor(cv2.GaussianBlur(picture, (3, 3), 0), cv2.COLOR_RGB2LAB)
    return lab


def middle_colour(lab: Array, box: Array) -> Array:
    """Mean Lab of the middle half of a box: the body rather than what is seen beside it."""
    x1, y1, x2, y2 = box
    dx, dy = (x2 - x1) / 4, (y2 - y1) / 4
    # A sliver at the border still has a pixel.
    top, left = min(int(y1 + dy), lab.shape[0] - 1), min(int(x1 + dx), lab.shape[1] - 1)
    middle = lab[top : max(top, int(y2 - dy)) + 1, left : max(left, int(x2 - dx)) + 1]
    return np.asarray(middle.reshape(-1, 3).mean(axis=0))


def _components(clusters: Array, lab: Array, sums: Array) -> Detections:
    height, width = clusters.shape
    # One pass for all clusters: without the pixels whose right or lower neighbour is of another cluster, no two
    # clusters touch. Every component then lacks its last column and row, which its box gets back below.
    mask = np.ones((height, width), dtype=bool)
    mask[:, :-1] &= clusters[:, :-1] == clusters[:, 1:]
    mask[:-1] &= clusters[:-1] == clusters[1:]
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=4)
    areas = stats[:, cv2.CC_STAT_AREA] / (height * width)
    boxes, colours, scores = [], [], []
    for label in np.flatnonzero((areas > _MIN_AREA) & (areas < _MAX_AREA)):
        if label == 0:
            continue
        x, y, w, h, area = stats[label]
        if w * h > 0.6 * height * width or min(w, h) < 4:
            continue
        window = (slice(y, y + h), slice(x, x + w))
        colour = np.array(cv2.mean(lab[window], (labels[window] == label).astype(np.uint8))[:3])
        contrast = np.linalg.norm(
            (colour - surroundings(sums, (x, y, x + w, y + h), colour * area, area)) * (0.6, 1, 1)
        )
        fill = min(1.0, area / (0.5 * w * h))
        boxes.append((x, y, min(width, x + w + 1), min(height, y + h + 1)))
        colours.append(colour)
        scores.append(fill * min(1.0, float(contrast) / 60.0))
    if not boxes:
        return Detections.empty()
    return Detections(np.array(boxes, np.float32), np.array(colours, np.float32), np.array(scores, np.float32))


def surroundings(sums: Array, box: tuple[int, int, int, int], own_sum: Array, own_area: float) -> Array:
    """Mean Lab ``(3,)`` of a box enlarged by half its size on each side, without the region's own pixels."""
    height, width = sums.shape[0] - 1, sums.shape[1] - 1
    x1, y1, x2, y2 = box
    dx, dy = max(4, (x2 - x1) // 4), max(4, (y2 - y1) // 4)
    x1, y1, x2, y2 = max(0, x1 - dx), max(0, y1 - dy), min(width, x2 + dx), min(height, y2 + dy)
    total = sums[y2, x2] - sums[y1, x2] - sums[y2, x1] + sums[y1, x1]
    mean: Array = (total - own_sum) / max(1.0, (x2 - x1) * (y2 - y1) - own_area)
    return mean
