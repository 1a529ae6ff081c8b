"""Writes H.264 files: the same pictures and arguments give the same bytes, in every process and on every processor.

x264 alone does not promise that:

- It takes other routines on other processors, which round differently. Here it is held to SSE2, which every 64-bit
  x86 has and which gives what its plain C code gives (used on other processors).
- Its macroblock tree works on more blocks at a time than there may be in a row and then on memory that nobody set, and
  it divides with an estimate that differs between processors. Here it is off. A constant rate factor of 22 without it
  gives the size and quality of 20 with it.
- Its decisions depend on the number of threads, which follows the number of cores if nobody says it.

FFmpeg's conversion from RGB depends on where the picture lies in memory. So the conversion is done before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from stvg_core.tube import Array

Write = Callable[[Array, int], None]
SAME_EVERYWHERE = {"x264-params": "asm=SSE2:mbtree=0"}
# BT.601 in limited range, in 256ths, as cv2.COLOR_RGB2YUV_I420 has it.
_TO_YUV = np.array([[66, 129, 25], [-38, -74, 112], [112, -94, -18]])
_ZERO = np.array([16, 128, 128])


@contextmanager
def h264_file(
    path: Path,
    rate: Fraction,
    size: tuple[int, int],
    *,
    crf: int = 22,
    preset: str = "veryfast",
    gop: int | None = None,
    threads: int = 1,
    pix_fmt: str = "yuv420p",
    clock: Fraction | None = None,
) -> Iterator[Write]:
    """Yield ``write(picture, pts)`` for uint8 RGB pictures ``(height, width, 3)``; the file is complete afterwards.

    Args:
        path: the file; its ending says the container.
        rate: pictures per second.
        size: width and height; both even with "yuv420p".
        crf: quality, smaller is better.
        preset: x264's.
        gop: at most so many pictures from one keyframe to the next.
        threads: part of what decides the bytes; never taken from the machine.
        pix_fmt: "yuv420p", which plays everywhere, or "yuv444p", which keeps every pixel's colour.
        clock: the unit of ``pts`` in seconds; 1 / rate if none is given.

    Raises:
        OSError, av.error.FFmpegError: the file cannot be written.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        (stream.width, stream.height), stream.pix_fmt = size, pix_fmt
        stream.options = {"crf": str(crf), "preset": preset, "threads": str(threads), **SAME_EVERYWHERE}
        if gop is not None:
            stream.options = {**stream.options, "g": str(gop)}
        if clock is not None:
            stream.time_base = stream.codec_context.time_base = clock

        def write(picture: Array, pts: int) -> None:
            frame = av.VideoFrame.from_ndarray(_planes(picture, pix_fmt), format=pix_fmt)
            frame.pts, frame.time_base = pts, clock or 1 / rate
            container.mux(stream.encode(frame))

        yield write
        container.mux(stream.encode(None))


def _planes(picture: Array, pix_fmt: str) -> Array:
    if pix_fmt == "yuv420p":
        return np.asarray(cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420))
    if pix_fmt == "yuv444p":
        yuv = ((picture.astype(np.int32) @ _TO_YUV.T + 128) >> 8) + _ZERO
        return np.ascontiguousarray(yuv.astype(np.uint8).transpose(2, 0, 1))
    raise ValueError(f"No conversion to {pix_fmt} here.")
