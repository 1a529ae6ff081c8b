"""How much of each token cell does a track cover?"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array


def cell_coverage(boxes: Array, h: int, w: int) -> Array:
    """Exact share of each cell's area that a box covers.

    Args:
        boxes: ``(..., 4)`` normalised xyxy in the model's view; NaN rows cover nothing.

    Returns:
        ``(..., h, w)`` float64 in [0, 1]. The cell under a box's centre counts in full, so that even the smallest
        object is seen (shrinking masks to the grid makes small objects vanish).
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    present: Array = np.asarray(np.isfinite(boxes).all(axis=-1))
    clean = np.where(present[..., None], np.clip(boxes, 0.0, 1.0), 0.0)
    across = _overlap(clean[..., 0], clean[..., 2], w)
    down = _overlap(clean[..., 1], clean[..., 3], h)
    coverage: Array = down[..., :, None] * across[..., None, :]
    column = np.minimum(((clean[..., 0] + clean[..., 2]) / 2 * w).astype(int), w - 1)
    row = np.minimum(((clean[..., 1] + clean[..., 3]) / 2 * h).astype(int), h - 1)
    centre = (np.arange(h)[:, None] == row[..., None, None]) & (np.arange(w)[None, :] == column[..., None, None])
    coverage = np.where(centre, 1.0, coverage)
    kept: Array = np.where(present[..., None, None], coverage, 0.0)
    return kept


def _overlap(low: Array, high: Array, cells: int) -> Array:
    """Overlap of ``[low, high]`` with each of ``cells`` equal cells of [0, 1], as a share of one, ``(..., cells)``."""
    edges = np.arange(cells + 1) / cells
    overlap = np.minimum(high[..., None], edges[1:]) - np.maximum(low[..., None], edges[:-1])
    shares: Array = np.clip(overlap * cells, 0.0, 1.0)
    return shares
