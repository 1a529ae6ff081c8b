"""From paths to the few tracks worth grounding: filled over time, ranked, without doubles."""

from __future__ import annotations

import cv2
import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.proposals.linking import Path
from stvg_core.tube import Array

_SAME_COLOUR = 14.0  # Lab units between a box's content and its path's colour
_EDGE = 0.015  # of the picture: a box this near to the border may be leaving it


def colour_sums(lab: Array) -> Array:
    """Integral image of a Lab picture, ``(H + 1, W + 1, 3)`` float64."""
    return np.asarray(cv2.integral(lab.astype(np.float32), sdepth=cv2.CV_64F))


def box_colours(sums: list[Array], boxes: Array) -> Array:
    """Mean Lab inside ``boxes`` (T, 4), one per picture -> ``(T, 3)``, NaN rows for NaN boxes."""
    out = np.full((len(boxes), 3), np.nan)
    for step, box in enumerate(boxes):
        if np.isnan(box).any():
            continue
        height, width = sums[step].shape[0] - 1, sums[step].shape[1] - 1
        x1, y1 = np.clip(np.floor(box[:2]).astype(int), 0, (width - 1, height - 1))
        x2, y2 = np.clip(np.ceil(box[2:]).astype(int), (x1 + 1, y1 + 1), (width, height))
        total = sums[step][y2, x2] - sums[step][y1, x2] - sums[step][y2, x1] + sums[step][y1, x1]
        out[step] = total / ((x2 - x1) * (y2 - y1))
    return out


def fill(path: Path, n: int, sums: list[Array]) -> Array:
    """Boxes on every picture, ``(n, 4)`` float32, NaN where the path does not hold.

    Gaps are straight lines. Beyond its ends a path goes on where it stood as long as what its box shows keeps its
    colour: an object that merges with another of its colour, or that the regions lose, is not gone.
    """
    boxes = np.stack([np.interp(np.arange(n), path.steps, np.stack(path.boxes)[:, k]) for k in range(4)], axis=1)
    first, last = path.steps[0], path.steps[-1]
    height, width = sums[0].shape[0] - 1, sums[0].shape[1] - 1
    shown = box_colours(sums, boxes)
    own = np.median(shown[path.steps], axis=0)
    same = np.linalg.norm(shown - own, axis=1) < _SAME_COLOUR
    if not _leaves(boxes[first], width, height):
        while first > 0 and same[first - 1]:
            first -= 1
    if not _leaves(boxes[last], width, height):
        while last < n - 1 and same[last + 1]:
            last += 1
    boxes[:first] = np.nan
    boxes[last + 1 :] = np.nan
    return boxes.astype(np.float32)


def _leaves(box: Array, width: int, height: int) -> bool:
    x1, y1, x2, y2 = box / (width, height, width, height)
    return bool(min(x1, y1) < _EDGE or max(x2, y2) > 1 - _EDGE)


def without_doubles(
    grids: list[Array], scores: list[float], others: list[Array], max_iou: float, keep: int
) -> list[tuple[int, Array]]:
    """``(row, boxes)`` of the ``keep`` best grids (each ``(T, 4)``) that repeat neither a better one nor ``others``."""
    chosen: list[tuple[int, Array]] = []
    taken = list(others)
    for row in np.argsort(-np.array(scores), kind="stable"):
        if len(chosen) >= keep:
            break
        if not taken or temporal_iou(grids[row], np.stack(taken)).max() <= max_iou:
            chosen.append((int(row), grids[row]))
            taken.append(grids[row])
    return chosen


def temporal_iou(one: Array, many: Array) -> Array:
    """Mean IoU over the pictures where either exists: ``(T, 4)`` and ``(K, T, 4)`` -> ``(K,)``."""
    iou = box_iou(one, many)
    either = ~np.isnan(one[None, :, 0]) | ~np.isnan(many[..., 0])
    return np.asarray(iou.sum(axis=1) / np.maximum(either.sum(axis=1), 1))
