"""Numbers on candidates: what is painted where, so that a model can name an object by its number.

Digits only, in red with a thin white outline, at the centre of the track's box. A digit is a share of the picture's
shorter side high, about 20 pixels of 336. Left out in a picture: a box that is smaller than a digit, and a mark that
would lie on another one of a surer candidate.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stvg_core.chat.pictures import paint
from stvg_core.locating.said import Mark
from stvg_core.tube import Array, Track

MOST = 20
"""So many candidates are numbered, the surest ones."""
SHARE = 20 / 336
SMALLEST = 12.0
RED, WHITE = (255, 0, 0), (255, 255, 255)


def digit_height(width: int, height: int) -> float:
    """In pixels, in a picture of this size."""
    return max(SMALLEST, SHARE * min(width, height))


def numbered(tracks: Sequence[Track]) -> dict[int, int]:
    """Painted number -> index of the track; at most :data:`MOST`, the surest first, counted from 1."""
    order = sorted(range(len(tracks)), key=lambda index: -tracks[index].score)[:MOST]
    return dict(enumerate(sorted(order), 1))


def marks_of(
    tracks: Sequence[Track], numbers: dict[int, int], frames: Array, size: tuple[int, int]
) -> tuple[Mark, ...]:
    """What is painted on pictures of ``frames`` ``(N,)`` and ``size`` (width, height) in pixels."""
    width, height = size
    digit, found = digit_height(width, height), []
    boxes = {number: tracks[index].at(frames) for number, index in numbers.items()}
    surest = sorted(numbers, key=lambda number: -tracks[numbers[number]].score)
    for picture in range(len(frames)):
        taken: list[Array] = []
        for number in surest:
            box = boxes[number][picture]
            if not np.isfinite(box).all():
                continue
            box = box * (width, height, width, height)
            centre = (box[:2] + box[2:]) / 2
            room = digit * (0.6 + 0.4 * len(str(number)))
            small = min(box[2] - box[0], box[3] - box[1]) < digit
            if small or any(np.abs(centre - other).max() < room for other in taken):
                continue
            taken.append(centre)
            found.append(Mark(picture, number, float(centre[0] / width), float(centre[1] / height)))
    return tuple(found)


def painted(pictures: Sequence[Array], marks: Sequence[Mark]) -> list[Array]:
    """Copies of ``(H, W, 3)`` pictures with their marks."""
    copies = [picture.copy() for picture in pictures]
    for mark in marks:
        picture = copies[mark.picture]
        height, width = picture.shape[:2]
        digit = digit_height(width, height)
        paint(picture, str(mark.number), (mark.x * width, mark.y * height), digit, RED, WHITE)
    return copies
