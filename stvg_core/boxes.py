"""How far do two boxes overlap? The one answer for everything that compares boxes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[Any]


def box_iou(a: _Array, b: _Array, *, over: Literal["union", "smaller"] = "union") -> _Array:
    """Shared area of boxes as a share of their union, or of the smaller one.

    Args:
        a, b: ``(..., 4)`` xyxy in one unit, broadcast against each other: ``box_iou(a[:, None], b)`` compares each of
            ``(N, 4)`` with each of ``(M, 4)``.

    Returns:
        ``(...)`` float64 in [0, 1]. Equal boxes give 1 even without area; any other empty box, and NaN, gives 0.
    """
    (ax1, ay1, ax2, ay2), (bx1, by1, bx2, by2) = _corners(a), _corners(b)
    shared = _area(np.minimum(ax2, bx2) - np.maximum(ax1, bx1), np.minimum(ay2, by2) - np.maximum(ay1, by1))
    own, other = _area(ax2 - ax1, ay2 - ay1), _area(bx2 - bx1, by2 - by1)
    whole = own + other - shared if over == "union" else np.minimum(own, other)
    same = (ax1 == bx1) & (ay1 == by1) & (ax2 == bx2) & (ay2 == by2)
    share: _Array = np.asarray(same, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        np.divide(shared, whole, out=share, where=(whole > 0) & ~same)
    return share


def _corners(boxes: _Array) -> list[_Array]:
    """x1, y1, x2, y2, each ``(...)`` and close together in memory: numpy is quick along long axes only."""
    return [np.array(np.asarray(boxes)[..., corner], dtype=np.float64) for corner in range(4)]


def _area(width: _Array, height: _Array) -> _Array:
    """A negative side counts as none."""
    return np.asarray(np.maximum(width, 0.0) * np.maximum(height, 0.0))
