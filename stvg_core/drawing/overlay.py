"""The video with the tube drawn into it, as an H.264 mp4 that every browser plays."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av.error
import cv2

from stvg_core.drawing.outputs import growing
from stvg_core.errors import VideoError
from stvg_core.tube import Array, Grounding, Tube, VideoInfo
from stvg_core.video import VideoReader
from stvg_core.video.h264 import h264_file

Progress = Callable[[float, str], None]
_COLOUR = (255, 64, 129)  # RGB; a pink that rarely occurs in footage
_CLOCK = Fraction(1, 90_000)
_THREADS = 4  # large videos; the number is part of what decides the file's bytes


def write_overlay(grounding: Grounding, out: str | Path, progress: Progress | None = None) -> Path:
    """Write the whole video, its tube as a box and a bar below that shows where in the video the tube lies.

    Pictures keep their own times (variable frame rates too). Sound is left out. The file appears whole or not at all.

    Args:
        grounding: the answer; without a tube the video is written with an empty bar.
        out: an ``.mp4`` to write.
        progress: called with a share in [0, 1] and "overlay".

    Raises:
        VideoError: the video cannot be read any more, or ``out`` cannot be written.
    """
    out, info = Path(out), grounding.video
    report = progress or (lambda share, stage: None)
    temporary: Path | None = None
    try:
        temporary = growing(out, ".part.mp4")
        _encode(info, grounding.tube, temporary, report)
        temporary.replace(out)
    except (OSError, av.error.FFmpegError) as error:
        raise VideoError(f"{out} cannot be written: {error.strerror or error}.") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return out


def _encode(info: VideoInfo, tube: Tube | None, path: Path, report: Progress) -> None:
    # The colour planes are half as large: an odd size loses its last row or column.
    size = max(2, info.width // 2 * 2), max(2, info.height // 2 * 2)
    rate = Fraction(info.fps_num, info.fps_den)
    with (
        VideoReader(info, kept_bytes=0) as video,
        h264_file(path, rate, size, threads=_THREADS, clock=_CLOCK) as write,
    ):
        seconds = video.seconds
        for index, picture in video.stream():
            drawn = draw(picture, index, tube, info.n_frames)[: size[1], : size[0]]
            if drawn.shape[:2] != size[::-1]:  # one pixel wide or high
                drawn = cv2.resize(drawn, size)
            write(drawn, round(seconds[index] / _CLOCK))
            report((index + 1) / info.n_frames, "overlay")


def draw(picture: Array, index: int, tube: Tube | None, n_frames: int) -> Array:
    """One ``(H, W, 3)`` uint8 RGB picture with frame ``index``'s box and the bar; the input stays as it is."""
    out = picture.copy()
    height, width = out.shape[:2]
    thick = max(1, round(min(height, width) / 160))
    bar = max(2, height // 60)
    out[-bar:] = out[-bar:] // 3
    if tube is not None:
        out[-bar:, _column(tube.start_frame, n_frames, width) : _column(tube.end_frame + 1, n_frames, width)] = _COLOUR
        if tube.start_frame <= index <= tube.end_frame:
            box = tube.boxes[index - tube.start_frame] * (width, height, width, height)
            x1, y1, x2, y2 = (round(float(v)) for v in box)
            corners = (min(x1, width - 1), min(y1, height - 1)), (min(x2, width - 1), min(y2, height - 1))
            cv2.rectangle(out, *corners, (0, 0, 0), thick + 2)
            cv2.rectangle(out, *corners, _COLOUR, thick)
    at = _column(index, n_frames, width)
    out[-bar:, at : at + max(1, thick)] = 255
    return out


def _column(frame: int, n_frames: int, width: int) -> int:
    return round(frame * width / n_frames)
