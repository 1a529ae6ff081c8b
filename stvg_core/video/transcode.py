"""A copy of a video that every browser plays, with the same pictures under the same frame numbers.

Frame i of the copy shows what frame i of the original shows: upright, in one rate, from second 0. A variable rate
becomes even at its average, because Label Studio turns time into frames by one rate: so its frame i is the picture i,
though a pause in the video is passed over. Sound is left out. Normalised boxes and the rate mean the same in both.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import av.error

from stvg_core.errors import VideoError
from stvg_core.tube import Array, VideoInfo
from stvg_core.video.container import Limits
from stvg_core.video.display import read_shown
from stvg_core.video.probe import probe
from stvg_core.video.reading import iter_frames

Progress = Callable[[float, str], None]
_KEY_EVERY_S = 1.0  # a step back on the page decodes at most so much


def transcode(info: VideoInfo, out: Path, *, progress: Progress | None = None, limits: Limits | None = None) -> Path:
    """Write the copy; it appears whole or not at all, and only if it has the original's frames and rate.

    H.264 in mp4 with its index in front: 8 bits, 4:2:0, closed groups of pictures, no B-frames. An odd width or height
    grows by one pixel (scaled, so that normalised boxes stay where they are).

    Args:
        info: the probed original.
        progress: called with a share in [0, 1] and "copy".

    Raises:
        VideoError: the original cannot be read to its end, ``out`` cannot be written, or the copy differs.
    """
    report = progress or (lambda share, stage: None)
    temporary = out.with_name(f".{out.stem[:80]}.{secrets.token_hex(4)}.mp4")
    try:
        _encode(info, temporary, report, limits or Limits())
        made = probe(temporary)
        same = (made.n_frames, made.fps_num * info.fps_den, made.variable_rate)
        if same != (info.n_frames, info.fps_num * made.fps_den, False):
            raise VideoError(
                f"The copy of {Path(info.path).name} came out with {made.n_frames} frames at {made.fps:.6g} per second "
                f"instead of {info.n_frames} at {info.fps:.6g}; it is not used. Convert the video with another program."
            )
        temporary.replace(out)
    except (OSError, av.error.FFmpegError) as error:
        raise VideoError(f"{out} cannot be written: {getattr(error, 'strerror', None) or error}.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return out


def _encode(info: VideoInfo, path: Path, report: Progress, limits: Limits) -> None:
    rate = Fraction(info.fps_num, info.fps_den)
    width, height = max(2, info.width + info.width % 2), max(2, info.height + info.height % 2)
    aspect = read_shown(Path(info.path), limits).pixel_aspect * Fraction(info.width * height, info.height * width)
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = 1 / rate
        stream.codec_context.gop_size = max(1, round(float(rate) * _KEY_EVERY_S))
        stream.codec_context.max_b_frames = 0
        stream.codec_context.sample_aspect_ratio = aspect.limit_denominator(1000)
        stream.options = {"crf": "18", "preset": "veryfast", "bf": "0", "x264-params": "open-gop=0"}
        for index, picture in _every(info, limits):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame = frame.reformat(width=width, height=height, format="yuv420p")
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
            report((index + 1) / info.n_frames, "copy")
        container.mux(stream.encode(None))


def _every(info: VideoInfo, limits: Limits) -> Iterator[tuple[int, Array]]:
    """Every frame; one that cannot be decoded shows what a player shows, the picture before it."""
    latest, expected = None, 0
    for index, picture in iter_frames(info, limits=limits):
        while expected < index:
            yield expected, picture if latest is None else latest
            expected += 1
        yield index, picture
        latest, expected = picture, index + 1
    while latest is not None and expected < info.n_frames:
        yield expected, latest
        expected += 1
