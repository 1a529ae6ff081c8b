"""From boxes per picture to paths over time.

One picture after the other, the best one-to-one assignment between open paths and new boxes is sought (Hungarian
method) with a cost of three parts: overlap with where the path's motion leads, colour, and size. A path without a
match stays open for a while (blinking, occlusion) and the gap is bridged in a straight line. Pieces of one object that
fell apart are joined afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from stvg_core.boxes import box_iou
from stvg_core.proposals.detections import Detections
from stvg_core.tube import Array

_MAX_COST = 0.62
_COLOUR_SCALE = 22.0  # Lab units
_MAX_COLOUR = 34.0
_MAX_SIZE_RATIO = 1.9  # of width or height between two pictures


@dataclass
class Path:
    """One object so far: ``steps`` are picture numbers, the rest one row per step."""

    steps: list[int] = field(default_factory=list)
    boxes: list[Array] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    colour: Array = field(default_factory=lambda: np.zeros(3, np.float32))
    velocity: Array = field(default_factory=lambda: np.zeros(4, np.float32))

    def add(self, step: int, box: Array, colour: Array, score: float) -> None:
        if self.steps:
            moved = (box - self.boxes[-1]) / (step - self.steps[-1])
            # Half of the old motion is kept: a shaking object must not throw its path off.
            self.velocity = 0.5 * self.velocity + 0.5 * moved
            self.colour = 0.8 * self.colour + 0.2 * colour
        else:
            self.colour = colour.copy()
        self.steps.append(step)
        self.boxes.append(box)
        self.scores.append(score)

    def predict(self, step: int) -> Array:
        """``(4,)`` where its motion leads; the motion fades while the object is unseen."""
        gap = step - self.steps[-1]
        box: Array = self.boxes[-1] + self.velocity * min(gap, 3)
        return box


def link(found: list[Detections], *, max_gap: int = 14) -> list[Path]:
    """Paths through the detections of consecutive pictures, in no particular order."""
    done: list[Path] = []
    open_paths: list[Path] = []
    for step, detections in enumerate(found):
        done += [path for path in open_paths if step - path.steps[-1] > max_gap]
        open_paths = [path for path in open_paths if step - path.steps[-1] <= max_gap]
        free = np.ones(len(detections), dtype=bool)
        if open_paths and len(detections):
            cost = _cost(open_paths, detections, step)
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] < _MAX_COST:
                    open_paths[row].add(
                        step, detections.boxes[column], detections.colours[column], float(detections.scores[column])
                    )
                    free[column] = False
        for column in np.flatnonzero(free):
            path = Path()
            path.add(step, detections.boxes[column], detections.colours[column], float(detections.scores[column]))
            open_paths.append(path)
    return done + open_paths


def join_pieces(paths: list[Path], *, max_gap: int = 24) -> list[Path]:
    """Join paths that end where another one of the same colour and size begins, the best fitting pair first."""
    paths = list(paths)
    while len(paths) > 1:
        ends = np.array([path.steps[-1] for path in paths])
        starts = np.array([path.steps[0] for path in paths])
        gap = starts[None] - ends[:, None]
        last = np.stack([path.boxes[-1] for path in paths])
        first = np.stack([path.boxes[0] for path in paths])
        colour = np.linalg.norm(
            np.stack([p.colour for p in paths])[:, None] - np.stack([p.colour for p in paths]), axis=2
        )
        ratio = np.abs(np.log(_sizes(last)[:, None] / _sizes(first)[None])).max(axis=2)
        size = np.maximum(_sizes(last)[:, None], _sizes(first)[None])
        away = np.linalg.norm((_centres(last)[:, None] - _centres(first)[None]) / size, axis=2)
        cost = away + colour / _COLOUR_SCALE + ratio + 0.02 * gap
        cost[(gap < 1) | (gap > max_gap) | (away > 0.8) | (ratio > np.log(1.6)) | (colour > 0.7 * _MAX_COLOUR)] = np.inf
        a, b = np.unravel_index(np.argmin(cost), cost.shape)
        if not np.isfinite(cost[a, b]):
            break
        whole = Path(
            paths[a].steps + paths[b].steps, paths[a].boxes + paths[b].boxes, paths[a].scores + paths[b].scores,
            (paths[a].colour + paths[b].colour) / 2, paths[b].velocity,
        )  # fmt: skip
        paths = [path for k, path in enumerate(paths) if k not in (a, b)] + [whole]
    return paths


def _cost(paths: list[Path], detections: Detections, step: int) -> Array:
    """``(paths, detections)`` in [0, 1]; 1 where a match is out of the question."""
    last = np.stack([path.boxes[-1] for path in paths])
    predicted = np.stack([path.predict(step) for path in paths])
    gaps = np.array([step - path.steps[-1] for path in paths])
    iou = np.maximum(box_iou(predicted[:, None], detections.boxes), box_iou(last[:, None], detections.boxes))
    colour = np.linalg.norm(np.stack([path.colour for path in paths])[:, None] - detections.colours[None], axis=2)
    size_a, size_b = _sizes(last), _sizes(detections.boxes)
    ratio = np.abs(np.log(size_a[:, None] / size_b[None])).max(axis=2)
    centre_a, centre_b = _centres(predicted), _centres(detections.boxes)
    away = np.linalg.norm((centre_a[:, None] - centre_b[None]) / np.maximum(size_a[:, None], size_b[None]), axis=2)
    near = np.exp(-away)
    cost = 1.0 - (0.45 * iou + 0.15 * near + 0.25 * np.exp(-colour / _COLOUR_SCALE) + 0.15 * np.exp(-ratio))
    cost += 0.004 * gaps[:, None]
    cost[(colour > _MAX_COLOUR) | (ratio > np.log(_MAX_SIZE_RATIO)) | (away > 1.0)] = 1.0
    return np.asarray(cost)


def _sizes(boxes: Array) -> Array:
    return np.asarray(np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0))


def _centres(boxes: Array) -> Array:
    return np.asarray((boxes[:, 2:] + boxes[:, :2]) / 2)
