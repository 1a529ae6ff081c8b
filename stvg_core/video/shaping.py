"""From a decoded picture to the pixels that are shown."""

from __future__ import annotations

from typing import Any

import numpy as np

from stvg_core.tube import Array


def shrunk_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """``(width, height)`` with the longer side at most ``max_side``, never enlarged."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_picture(frame: Any, size: tuple[int, int]) -> Array:
    """``(H, W, 3)`` uint8 RGB, turned as displayed and scaled to ``size`` = (width, height)."""
    turns = round(frame.rotation / 90) % 4  # quarter turns counter-clockwise
    width, height = (size[1], size[0]) if turns % 2 else size
    picture = _rgb(frame, width, height)
    return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture


def _rgb(frame: Any, width: int, height: int) -> Array:
    """``(height, width, 3)``: the memory of the converted frame itself, which has a margin at the end of each row."""
    plane = frame.reformat(format="rgb24", width=width, height=height).planes[0]
    rows = np.frombuffer(plane, np.uint8, count=plane.line_size * height).reshape(height, plane.line_size)
    return rows[:, : width * 3].reshape(height, width, 3)
