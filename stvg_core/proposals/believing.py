"""Which of the measured boxes are the object's own, and what its box is on the other pictures.

An object changes its size slowly. Where a measured box jumps to another size, something of the same colour touches the
object, or something covers a part of it. The longest time without such a jump is believed, counted on pictures where
the proposer's box has that size too, and what goes on at its size. Elsewhere the object keeps its size, and the edge
that fits to where it was is believed.
"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array

_JUMP = 0.13  # of the logarithm of a side, from one picture to the next
_PER_S = 0.5  # the same for each second in between
_AS_EXPECTED = 0.25  # of the logarithm: the proposer's boxes are not as exact
_NEAR = 0.2  # of a side: so far from where it was an edge is believed
_BORDER = 1.0  # pixels


def believed(measured: Array, expected: Array, fps: float, width: int, height: int) -> tuple[Array, Array]:
    """Boxes on every picture, and on which of them they were measured.

    Args:
        measured: ``(T, 4)`` xyxy in pixels, NaN where nothing was found.
        expected: ``(T, 4)`` the proposer's.
        fps: rows per second.
        width, height: of the pictures.

    Returns:
        ``(T, 4)`` without NaN, and ``(T,)`` bool, the rows whose size was believed; none, with the expected boxes,
        where nothing was found at all.
    """
    there = np.asarray(np.isfinite(measured).all(axis=1))
    if not there.any():
        return expected.copy(), there
    limits = width, height
    known = there & _one_size(measured, expected, there, fps, limits)
    boxes = measured.copy()
    boxes[~known] = np.nan
    rows = np.arange(len(boxes))
    sides = np.stack([np.interp(rows, rows[known], (boxes[:, k + 2] - boxes[:, k])[known]) for k in (0, 1)], axis=1)
    for row, before in _outwards(known):
        if there[row]:
            last = boxes[before]
            boxes[row] = _anchored(measured[row], expected[row], last if np.isfinite(last).all() else None, sides[row])
    found = np.isfinite(boxes).all(axis=1)
    return np.stack([np.interp(rows, rows[found], boxes[found, k]) for k in range(4)], axis=1), known


def _one_size(boxes: Array, expected: Array, there: Array, fps: float, limits: tuple[int, int]) -> Array:
    """``(T,)`` bool: rows in parts without a jump of size that go on at the size of the longest part."""
    rows = np.flatnonzero(there)
    sides = np.log(np.maximum(boxes[rows, 2:] - boxes[rows, :2], 0.5))
    # At the picture's border a side may be cut: it is compared with nothing.
    cut = np.stack([(boxes[rows, k] < _BORDER) | (boxes[rows, k + 2] > limits[k] - _BORDER) for k in (0, 1)], axis=1)
    seconds = np.diff(rows) / fps
    jumps = (np.abs(np.diff(sides, axis=0)) > _JUMP + _PER_S * seconds[:, None]) & ~cut[1:] & ~cut[:-1]
    starts = np.concatenate([[0], np.flatnonzero(jumps.any(axis=1)) + 1])
    ends = np.concatenate([starts[1:], [len(rows)]]) - 1
    same = np.abs(sides - np.log(np.maximum(expected[rows, 2:] - expected[rows, :2], 0.5))).max(axis=1) < _AS_EXPECTED
    agree = np.add.reduceat(same.astype(float), starts)
    best = int((agree + 1e-3 * (ends - starts)).argmax())
    out = np.zeros(len(boxes), dtype=bool)
    out[rows[starts[best] : ends[best] + 1]] = True
    for parts, near, far in (
        (range(best + 1, len(starts)), starts, ends), (range(best - 1, -1, -1), ends, starts),
    ):  # fmt: skip
        last = int(ends[best] if near is starts else starts[best])
        for part in parts:
            here = int(near[part])
            apart = (
                np.abs(sides[here] - sides[last]) > _JUMP + _PER_S * abs(int(rows[here]) - int(rows[last])) / fps * 0.2
            )
            if not (apart & ~cut[here] & ~cut[last]).any():
                first, end = sorted((here, int(far[part])))
                out[rows[first : end + 1]] = True
                last = int(far[part])
    return out


def _outwards(known: Array) -> list[tuple[int, int]]:
    """Each row that is not known with its neighbour on the way from the nearest known row, in an order that has the
    neighbour first.
    """
    rows = np.flatnonzero(known)
    nearest = rows[np.abs(np.arange(len(known))[:, None] - rows[None]).argmin(axis=1)]
    others = np.flatnonzero(~known)
    order = others[np.argsort(np.abs(others - nearest[others]), kind="stable")]
    return [(int(row), int(row + np.sign(nearest[row] - row))) for row in order]


def _anchored(found: Array, expected: Array, before: Array | None, sides: Array) -> Array:
    """A box of the right size: along each axis by the edge that keeps it nearest to where it was."""
    out = np.empty(4)
    for k in (0, 1):
        half = sides[k] / 2
        centres = [found[k] + half, found[k + 2] - half]
        wide = expected[k + 2] - expected[k]
        usual = (expected[k] + expected[k + 2]) / 2
        if abs(np.log(max(wide, 0.5) / max(sides[k], 0.5))) < _JUMP:
            centres.append(usual)
        was = usual if before is None else (before[k] + before[k + 2]) / 2
        best = min(centres, key=lambda centre: abs(centre - was))
        middle = best if abs(best - was) < _NEAR * sides[k] else was
        out[[k, k + 2]] = middle - half, middle + half
    return out
