"""From a decoded picture to the pixels that are shown."""

from __future__ import annotations

from threading import local
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.display import STORED, Shown, orientation_of


def shrunk_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """``(width, height)`` with the longer side at most ``max_side``, never enlarged."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def to_picture(frame: Any, size: tuple[int, int], shown: Shown, name: str) -> Array:
    """``(H, W, 3)`` uint8 RGB of a decoded picture, laid as shown and scaled to ``size`` = (width, height).

    Raises:
        VideoError: this picture is laid in another way than the file's first one.
    """
    if orientation_of(frame, name) != shown.orientation:
        raise VideoError(
            f"{name} turns or mirrors its pictures in the middle of the video: what is shown there depends on the "
            "player. Cut it into parts that each are shown in one way."
        )
    picture = _rgb(frame, *shown.orientation.size(*size))
    return picture if shown.orientation == STORED else shown.orientation.lay(picture)


def _rgb(frame: Any, width: int, height: int) -> Array:
    """``(height, width, 3)``: the memory of the converted frame itself, which has a margin at the end of each row."""
    plane = _converter().reformat(frame, format="rgb24", width=width, height=height).planes[0]
    rows = np.frombuffer(plane, np.uint8, count=plane.line_size * height).reshape(height, plane.line_size)
    return rows[:, : width * 3].reshape(height, width, 3)


_converters = local()


def _converter() -> Any:
    """One per thread: a picture's own would live as long as the picture is kept, with its threads and its tables."""
    if not hasattr(_converters, "one"):
        _converters.one = VideoReformatter()
    return _converters.one
