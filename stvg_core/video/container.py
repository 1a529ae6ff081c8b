"""Opening a file that may be anything: is it a video, of an allowed kind and size?

FFmpeg guesses a file's kind from its content, and some kinds (HLS, DASH, ffconcat, image sequences) are lists of other
files or addresses. So the kinds are an allow-list that FFmpeg itself enforces before it opens a demuxer, only the
``file`` protocol is allowed, and the path is always handed over as a file name, never as an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import av.error

from stvg_core.errors import VideoError
from stvg_core.video.feeding import Feeding
from stvg_core.video.tracks import Choice, choose, has_choice

ALLOWED_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,mpegts,mpeg,avi,flv,asf,ogg"
_ALLOWED_WORDS = "mp4, mov, mkv, webm, MPEG-TS, MPEG-PS, avi, flv, wmv or ogg"
_PLAYLISTS = (b"#EXTM3U", b"ffconcat", b"<MPD", b"WEBVTT", b"[Script Info]")


@dataclass(frozen=True)
class Limits:
    """What is too much to decode: pixels per picture, frames and seconds per file.

    The defaults let 4K and a whole day at 60 frames per second pass, and stop an 8192 x 8192 decoder bomb.
    """

    max_pixels: int = 4096 * 2304
    max_frames: int = 6_000_000
    max_seconds: float = 24 * 3600.0


def open_container(path: Path, limits: Limits) -> tuple[Any, Any]:
    """Open a checked file; returns PyAV's ``(container, video stream)``. The caller closes the container.

    Raises:
        VideoError: missing, empty, not a video, of a kind that is not allowed, cut off, without a picture, too large.
    """
    container = _open(path)
    try:
        return container, _picture_stream(path, container, limits)
    except BaseException:
        container.close()
        raise


def _open(path: Path) -> Any:
    head = _read_head(path)
    try:
        return av.open(
            f"file:{path.absolute()}",
            options={"format_whitelist": ALLOWED_FORMATS, "protocol_whitelist": "file"},
        )
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError(_why_not_open(path, head)) from error


def _read_head(path: Path) -> bytes:
    try:
        if not path.exists():
            raise VideoError(f"There is no file {path}. Check the path.")
        if not path.is_file():
            raise VideoError(f"{path} is not a file. Name one video file.")
        with path.open("rb") as file:
            head = file.read(512)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise VideoError(f"{path} cannot be read: {reason}.") from error
    _refuse_empty(path, head)
    return head


def _refuse_empty(path: Path, head: bytes) -> None:
    if not head:
        raise VideoError(f"{path.name} is an empty file, not a video. Copy or download it again.")


def _why_not_open(path: Path, head: bytes) -> str:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if _is_page(text):
        return f"{path.name} is a web page, not a video. Its address may ask for a log-in; download the video itself."
    if _lists_others(text):
        return f"{path.name} is a playlist or text file, not a video. Use a video file ({_ALLOWED_WORDS})."
    if head[4:8] == b"ftyp":
        return f"{path.name} is cut off: its index is missing. Copy or download the whole file again."
    return f"{path.name} is not a video that can be read. Use a video file ({_ALLOWED_WORDS})."


def _is_page(text: bytes) -> bool:
    """HTML, also behind comments and an XML declaration."""
    return text.startswith(b"<") and re.search(rb"<(!doctype\s+html|html|head|body)\b", text, re.IGNORECASE) is not None


def _lists_others(text: bytes) -> bool:
    return text.startswith(_PLAYLISTS) or b"<MPD" in text


def _picture_stream(path: Path, container: Any, limits: Limits) -> Any:
    choice = _choice(path, container)
    if choice.index is None:
        raise VideoError(f"{path.name} has no picture (sound only?). Use a file with a video track.")
    stream = container.streams[choice.index]
    context = stream.codec_context
    if context is None:
        raise VideoError(f"{path.name} is coded in a way this installation cannot decode. Convert it to H.264 mp4.")
    check_size(path, context.width, context.height, limits)
    bound_decoder(context, limits)
    context.thread_type = "AUTO"
    return stream


def bound_decoder(context: Any, limits: Limits) -> None:
    """A header may lie: the decoder itself refuses pictures larger than this before it allocates them."""
    context.options = {"max_pixels": str(limits.max_pixels)}


def track_warning(path: Path) -> str | None:
    """A sentence for a person where the file has two videos and either could be meant."""
    with _open(path) as container:
        return _choice(path, container).warning


def _choice(path: Path, container: Any) -> Choice:
    if not has_choice(container):
        return choose(container)
    stat = path.stat()
    return _choice_of_several(path, (stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=64)
def _choice_of_several(path: Path, _version: tuple[int, int]) -> Choice:
    """Choosing may read packets, so it has a container of its own, and is done once per file."""
    with _open(path) as container:
        return choose(container)


def decode_pictures(container: Any, stream: Any) -> Iterator[Any]:
    """PyAV frames in display order, in one thread; packets that cannot be decoded are skipped, as players do."""
    packets = container.demux(stream)
    stream.codec_context.thread_type, stream.codec_context.thread_count = "NONE", 1
    feeding = Feeding(stream.codec_context)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        try:
            pictures = feeding.pictures(packet)
        except av.error.FFmpegError:
            continue
        yield from pictures


def check_size(path: Path, width: int, height: int, limits: Limits) -> None:
    """Refuse pictures above ``limits.max_pixels``."""
    if width * height > limits.max_pixels:
        raise VideoError(
            f"{path.name} is too large: {width} x {height} pixels per picture, at most {limits.max_pixels:,} pixels "
            "are accepted. Scale it down first."
        )


def undecodable(path: Path) -> VideoError:
    """Why a file with a video track has no frame. Players do not show a picture of it either."""
    return VideoError(
        f"No picture of {path.name} can be decoded. Convert it to H.264 mp4; if it was cut out of a longer video by "
        "copying, cut that one again and encode the part anew."
    )
