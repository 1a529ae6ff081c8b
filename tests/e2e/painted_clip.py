"""A clip whose truth can be read off its pixels: one red square on grey that waits, moves right, and waits again."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from stvg_core.tube import Tube
from stvg_core.video.h264 import h264_file

RED, GREY = (225, 30, 30), (60, 60, 60)
N_FRAMES = 60
MOVING = range(15, 46)  # the frames on which the square is where it is on no other frame
SIDE = 0.2  # of the height
QUERY = "the red square that moves right"


def true_box(frame: int, width: int, height: int) -> tuple[int, int, int, int]:
    """The square's corners in pixels."""
    side = round(SIDE * height)
    steps = min(max(frame - MOVING.start + 1, 0), len(MOVING))
    x, y = round(0.08 * width) + steps * (width // 50), round(0.25 * height) + steps * (height // 120)
    return x, y, x + side, y + side


def paint_clip(path: Path, fps: Fraction, width: int = 320, height: int = 240) -> Tube:
    """Write the clip; returns the square's tube over all its frames."""
    boxes = [true_box(frame, width, height) for frame in range(N_FRAMES)]
    path.parent.mkdir(parents=True, exist_ok=True)
    with h264_file(path, fps, (width, height), crf=12, preset="medium", gop=10) as write:
        for number, (x1, y1, x2, y2) in enumerate(boxes):
            picture = np.full((height, width, 3), GREY, dtype=np.uint8)
            picture[y1:y2, x1:x2] = RED
            write(picture, number)
    return Tube(0, np.array(boxes, dtype=np.float32) / np.array([width, height, width, height], dtype=np.float32))
