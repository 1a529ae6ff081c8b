"""An object's mask: the box around it, and kept small, what share of each part of that box it covers."""

from __future__ import annotations

import cv2
import numpy as np
import torch
import torch.nn.functional as F

from stvg_core.tube import Array

MASK_SIDE = 16
"""Parts along each side of a box; 256 bytes for a frame of a track. A person who fills a grid of 14 x 14 cells from top
to bottom has more than one of them in each cell."""
_SPECK = 0.1  # of the largest piece of a mask: smaller pieces do not stretch the box


def mask_box(logits: torch.Tensor, size: tuple[int, int]) -> Array:
    """The box around a mask.

    Args:
        logits: ``[h, w]``, positive on the object.
        size: ``(height, width)`` of the picture. The mask is enlarged to it before it is cut at 0 and never made
            smaller, so that an object of a single cell keeps its box.

    Returns:
        ``(4,)`` float32 normalised xyxy, NaN for an empty mask.
    """
    labels, stats, kept = _pieces(logits, size)
    return _around(labels, stats[kept])


def box_and_mask(logits: torch.Tensor, size: tuple[int, int]) -> tuple[Array, Array]:
    """:func:`mask_box`, and what it is around: ``(height, width)`` bool."""
    labels, stats, kept = _pieces(logits, size)
    return _around(labels, stats[kept]), kept[labels]


def _pieces(logits: torch.Tensor, size: tuple[int, int]) -> tuple[Array, Array, Array]:
    """The pieces of a mask: which one a pixel belongs to, ``(height, width)``, OpenCV's figures of each, ``(K, 5)``,
    and which are no specks, ``(K,)`` bool.
    """
    height, width = max(size[0], logits.shape[0]), max(size[1], logits.shape[1])
    enlarged = F.interpolate(logits[None, None].float(), (height, width), mode="bilinear", align_corners=False)
    mask = (enlarged[0, 0] > 0).cpu().numpy().astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0  # the first is what is no mask
    # What stands behind a pole is in two pieces; a few stray pixels elsewhere are no piece of it.
    return labels, stats, (areas > 0) & (areas >= _SPECK * areas.max())


def _around(labels: Array, pieces: Array) -> Array:
    """``(4,)`` float32 normalised xyxy around pieces ``(N, 5)`` of a picture like ``labels``; NaN for none."""
    if len(pieces) == 0:
        return np.full(4, np.nan, np.float32)
    height, width = labels.shape
    left, top = pieces[:, cv2.CC_STAT_LEFT], pieces[:, cv2.CC_STAT_TOP]
    right, bottom = left + pieces[:, cv2.CC_STAT_WIDTH], top + pieces[:, cv2.CC_STAT_HEIGHT]
    box = np.array([left.min() / width, top.min() / height, right.max() / width, bottom.max() / height], np.float32)
    return box


def mask_in_box(mask: Array, box: Array) -> Array:
    """The exact share of each part of a box that a mask covers.

    Args:
        mask: ``(H, W)`` bool, of the whole picture.
        box: ``(4,)`` normalised xyxy; what lies outside of it is left out.

    Returns:
        ``(MASK_SIDE, MASK_SIDE)`` uint8, in 255ths. All 0 only where nothing of the mask is inside.
    """
    height, width = mask.shape
    x1, y1, x2, y2 = np.asarray(box, np.float64) * (width, height, width, height)
    (rows, top, bottom), (columns, left, right) = _overlaps(y1, y2, height), _overlaps(x1, x2, width)
    shares = rows @ mask[top:bottom, left:right].astype(np.float64) @ columns.T
    filled = np.round(255 * shares.clip(0.0, 1.0)).astype(np.uint8)
    if shares.any() and not filled.any():
        filled.flat[int(shares.argmax())] = 1  # a speck is a mask all the same
    return filled


def _overlaps(low: float, high: float, pixels: int) -> tuple[Array, int, int]:
    """What share of each part of ``[low, high]`` lies in each pixel, ``(MASK_SIDE, n)``, and the first of the n pixels
    and the one after the last.
    """
    first, last = max(0, int(np.floor(low))), min(pixels, int(np.ceil(high)))
    edges = np.linspace(low, high, MASK_SIDE + 1)
    starts = np.arange(first, last)
    inside = np.minimum(edges[1:, None], starts + 1) - np.maximum(edges[:-1, None], starts)
    length = (high - low) / MASK_SIDE
    shares: Array = inside.clip(0.0) / length if length > 0 else np.zeros_like(inside)
    return shares, first, last
