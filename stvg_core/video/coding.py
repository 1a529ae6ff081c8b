"""How is a video stored: in which container, by which codec, beginning when? Nothing here judges it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stvg_core.video.container import Limits, open_container
from stvg_core.video.display import read_shown
from stvg_core.video.timeline import read_timeline

_CONTAINERS = {"mpegts": "mpegts", "mpeg": "mpeg", "avi": "avi", "flv": "flv", "asf": "asf", "ogg": "ogg"}


@dataclass(frozen=True)
class Coding:
    """Facts of the video track that is read.

    Attributes:
        container: "mp4", "mov", "3gp", "webm", "matroska", "mpegts", "mpeg", "avi", "flv", "asf" or "ogg".
        codec: FFmpeg's name of the codec: "h264", "hevc", "mpeg4", ...
        pixel_format: FFmpeg's name: "yuv420p", "yuv420p10le", ...
        start_s: when the first picture is shown, in seconds of the file's own clock.
        turned_by_message: the picture is turned by a message that browsers do not read.
    """

    container: str
    codec: str
    pixel_format: str
    start_s: float
    turned_by_message: bool


def read_coding(path: Path, limits: Limits | None = None) -> Coding:
    """How a file is stored; raises VideoError as :func:`stvg_core.video.probe` does."""
    limits = limits or Limits()
    container, stream = open_container(path, limits)
    with container:
        name = _container(path, container.format.name)
        codec, pixels = stream.codec_context.codec.canonical_name, stream.codec_context.pix_fmt or ""
    timeline = read_timeline(path, limits)
    start = 0.0 if timeline.ordinal else float(timeline.pts[0] * timeline.tick_s)
    return Coding(name, codec, pixels, start, read_shown(path, limits).by_message)


def _container(path: Path, demuxer: str) -> str:
    """The kind by the file's first bytes where one demuxer reads several."""
    with path.open("rb") as file:
        head = file.read(64)
    if demuxer.startswith("mov"):
        brand = head[8:12] if head[4:8] == b"ftyp" else b"qt  "
        return "mov" if brand == b"qt  " else "3gp" if brand[:2] == b"3g" else "mp4"
    if demuxer.startswith("matroska"):
        return "webm" if b"webm" in head else "matroska"
    return _CONTAINERS.get(demuxer, demuxer)
