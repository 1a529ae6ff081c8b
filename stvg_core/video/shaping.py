"""From a decoded picture to the pixels that are shown."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.display import STORED, Shown, orientation_of

_REUSED_BYTES = 31 << 20  # below the largest that the allocator adapts to, its own header included


def shrunk_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """``(width, height)`` with the longer side at most ``max_side``, never enlarged."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class Shaper:
    """Makes the shown picture of one file's decoded pictures. Use it from one thread at a time.

    Args:
        shown: how the file's pictures are laid.
        name: the file's, for the message.
    """

    def __init__(self, shown: Shown, name: str) -> None:
        self._shown, self._name = shown, name
        # One converter for each size: it prepares its tables once, not for every picture.
        self._converters: dict[tuple[int, int], VideoReformatter] = {}
        keep_freed_memory()

    def picture(self, frame: Any, size: tuple[int, int], *, own: bool = False) -> Array:
        """``(H, W, 3)`` uint8 RGB of a decoded picture, laid as shown and scaled to ``size`` = (width, height).

        It may share its memory with ``frame``, and its rows may have a margin, unless it is to be its ``own``.

        Raises:
            VideoError: this picture is laid in another way than the file's first one.
        """
        orientation = self._shown.orientation
        if orientation_of(frame, self._name) != orientation:
            raise VideoError(
                f"{self._name} turns or mirrors its pictures in the middle of the video: what is shown there depends "
                "on the player. Cut it into parts that each are shown in one way."
            )
        picture, shared = self._rgb(frame, *orientation.size(*size))
        if orientation != STORED:
            picture = orientation.lay(picture)
        if not own:
            return picture
        return picture.copy() if shared else np.ascontiguousarray(picture)

    def _rgb(self, frame: Any, width: int, height: int) -> tuple[Array, bool]:
        """``(height, width, 3)``: the memory of the converted frame itself, with a margin at the end of each row.

        And whether that is ``frame``, where there is nothing to convert.
        """
        converter = self._converters.get((width, height))
        if converter is None:
            converter = self._converters[width, height] = VideoReformatter()
        # One thread: starting more for each picture costs more than they save.
        converted = converter.reformat(frame, format="rgb24", width=width, height=height, threads=1)
        plane: Any = converted.planes[0]
        rows = np.frombuffer(plane, np.uint8, count=plane.line_size * height).reshape(height, plane.line_size)
        picture: Array = rows[:, : width * 3].reshape(height, width, 3)
        return picture, converted is frame


@cache
def keep_freed_memory() -> None:
    """Let the allocator use the memory of one picture for the next.

    glibc asks the kernel for every large block anew and hands it back when it is freed; new pages then cost about as
    much as converting the picture. Once a block of up to 32 MiB was freed, it keeps blocks of that size for itself, and
    up to twice as much of free memory (mallopt(3), ``M_MMAP_THRESHOLD``). Nothing is written here, so this block costs
    no memory; other allocators take no notice.
    """
    np.empty(_REUSED_BYTES, np.uint8)
