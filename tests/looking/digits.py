"""Painted red numbers, read from the pixels of a picture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np

SIZE = 16, 24
"""Of a digit as it is compared, width and height."""


@dataclass(frozen=True)
class Digits:
    """A number and the centre of it in pixels."""

    number: int
    x: float
    y: float


def read(picture: np.ndarray, height: float) -> list[Digits]:
    """All numbers in ``(H, W, 3)`` RGB whose digits are about ``height`` pixels high."""
    red = picture.astype(int)
    mask = ((red[..., 0] > 190) & (red[..., 1:].max(axis=-1) < 80)).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    found = []
    for label in range(1, count):
        left, top, width, tall, _ = stats[label]
        if 0.75 * height <= tall <= 1.35 * height and width <= 1.2 * height:
            part = (labels[top : top + tall, left : left + width] == label).astype(np.uint8)
            digit, alike = _digit(part)
            if alike > 0.6:
                found.append((float(left), float(left + width), float(top + tall / 2), digit))
    return _numbers(sorted(found), height)


def _digit(part: np.ndarray) -> tuple[int, float]:
    """The digit that is most like a mask, and how much."""
    thin = part.shape[1] < 0.42 * part.shape[0]  # a one is not stretched to the width of an eight
    shape = cv2.resize(part * 255, SIZE, interpolation=cv2.INTER_AREA).astype(float) / 255
    likeness = {
        digit: 2 * float(np.minimum(shape, other).sum()) / float(shape.sum() + other.sum())
        for digit, other in _templates(part.shape[0]).items()
        if (digit == 1) == thin
    }
    best = max(likeness, key=lambda digit: likeness[digit])
    return best, likeness[best]


@cache
def _templates(height: int) -> dict[int, np.ndarray]:
    found = {}
    for digit in range(10):
        canvas = np.zeros((4 * height, 4 * height), np.uint8)
        cv2.putText(canvas, str(digit), (height, 3 * height), cv2.FONT_HERSHEY_SIMPLEX, height / 21, 255,
                    max(1, round(height / 8)), cv2.LINE_AA)  # fmt: skip
        rows, columns = np.nonzero(canvas > 100)
        part = (canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] > 100).astype(np.uint8)
        found[digit] = cv2.resize(part * 255, SIZE, interpolation=cv2.INTER_AREA).astype(float) / 255
    return found


def _numbers(parts: list[tuple[float, float, float, int]], height: float) -> list[Digits]:
    """Neighbours on one line are one number."""
    found: list[list[tuple[float, float, float, int]]] = []
    for part in parts:
        near = [one for one in found if 0 <= part[0] - one[-1][1] < 0.5 * height and abs(part[2] - one[-1][2]) < 2]
        if near:
            near[0].append(part)
        else:
            found.append([part])
    return [
        Digits(int("".join(str(part[3]) for part in one)), (one[0][0] + one[-1][1]) / 2, one[0][2]) for one in found
    ]
