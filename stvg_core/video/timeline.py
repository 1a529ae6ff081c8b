"""When is each picture shown? The display timestamps of a file, read from its packets without decoding.

Packets come in decoding order; players show pictures in timestamp order. So frame index i is the i-th smallest
presentation timestamp among the packets that are displayed (edit lists mark others as discarded) and can be decoded
(pictures before the first key frame of a recording that was joined late cannot).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.container import Limits, decode_pictures, mp4_is_cut, open_container


@dataclass(frozen=True)
class Timeline:
    """Display order of one file.

    Attributes:
        pts: ``(N,)`` int64, strictly increasing, in ticks of ``tick_s`` seconds; row i belongs to frame i.
        key_pts: ``(K,)`` int64 sorted timestamps at which decoding can start.
        tick_s: seconds per tick.
        ordinal: True where the file has no usable timestamps: ``pts`` then counts pictures as the decoder gives them.
        last_s: seconds the last picture is shown, 0 where unknown.
        warnings: sentences for a person.
    """

    pts: Array
    key_pts: Array
    tick_s: float
    ordinal: bool
    last_s: float
    warnings: tuple[str, ...]

    @property
    def seconds(self) -> Array:
        """``(N,)`` float64 seconds from the first frame's timestamp."""
        seconds: Array = (self.pts - self.pts[0]) * self.tick_s
        return seconds


def read_timeline(path: Path, limits: Limits) -> Timeline:
    """The timeline of a file, remembered until the file changes. Raises VideoError where there is no picture."""
    stat = path.stat() if path.exists() else None
    return _read_timeline(path, limits, (stat.st_mtime_ns, stat.st_size) if stat else None)


@lru_cache(maxsize=16)
def _read_timeline(path: Path, limits: Limits, _version: tuple[int, int] | None) -> Timeline:
    container, stream = open_container(path, limits)
    with container:
        is_mp4, is_avi = "mp4" in container.format.name, container.format.name == "avi"
        expected = stream.frames
        tick_s = float(stream.time_base) if stream.time_base else 0.0
        pts, keys, last_ticks, complete = _demux(container, stream, path, limits)
    if is_mp4 and (mp4_is_cut(path) or (expected and len(pts) < expected and not complete)):
        raise VideoError(f"{path.name} is cut off: its end is missing. Copy or download the whole file again.")
    if not pts:
        raise VideoError(f"{path.name} has a video track without a picture. Use another file.")
    shown = np.array([p for p in pts if p is not None], dtype=np.int64)
    # AVI stores no presentation times: what FFmpeg reports there is the decoding order.
    if is_avi or len(shown) < len(pts) or len(np.unique(shown)) < len(shown) or tick_s <= 0:
        return _count_by_decoding(path, limits)
    shown.sort()
    key_pts = np.array(sorted(k for k in keys if k is not None), dtype=np.int64)
    warnings = [] if complete else ["The end of the file is damaged or missing; only the readable part is used."]
    first, last = _decodable_ends(path, limits, key_pts)
    kept = shown[(shown >= first) & (shown <= last)]
    if len(kept) == 0:
        raise VideoError(f"No picture of {path.name} can be decoded. Convert it to H.264 mp4.")
    if kept[-1] < shown[-1] and not warnings:
        warnings.append("The end of the file is damaged or missing; only the readable part is used.")
    return Timeline(kept, key_pts, tick_s, False, last_ticks * tick_s, tuple(warnings))


def _demux(
    container: Any, stream: Any, path: Path, limits: Limits
) -> tuple[list[int | None], list[int | None], int, bool]:
    """Timestamps of displayed packets and of key packets, the last one's duration, and whether the end was reached."""
    pts: list[int | None] = []
    keys: list[int | None] = []
    last: tuple[int, int] = (-(2**62), 0)
    complete = True
    max_ticks = limits.max_seconds / float(stream.time_base) if stream.time_base else float("inf")
    try:
        for packet in container.demux(stream):
            if packet.size == 0:  # the flush packet at the end
                continue
            if packet.is_keyframe:
                keys.append(packet.pts)
            if packet.is_discard:
                continue
            complete = not packet.is_corrupt
            pts.append(packet.pts)
            if packet.pts is not None and packet.pts > last[0]:
                last = (packet.pts, packet.duration or 0)
            if len(pts) > limits.max_frames:
                raise VideoError(f"{path.name} is too long: over {limits.max_frames:,} pictures. Cut it into parts.")
            if packet.pts is not None and pts[0] is not None and packet.pts - pts[0] > max_ticks:
                hours = limits.max_seconds / 3600
                raise VideoError(f"{path.name} is too long: over {hours:g} hours. Cut it into parts.")
    except av.error.FFmpegError:
        complete = False
    return pts, keys, last[1], complete


def _decodable_ends(path: Path, limits: Limits, key_pts: Array) -> tuple[int, int]:
    """Timestamps of the first and the last picture that the decoder really gives, by decoding the head and the tail."""
    first = _first_and_last(path, limits, None, stop_after_first=True)
    if first is None:
        raise VideoError(f"No picture of {path.name} can be decoded. Convert it to H.264 mp4.")
    last = None
    for start in key_pts[::-1][:3]:  # the last group of pictures may be unreadable as a whole
        last = _first_and_last(path, limits, int(start), stop_after_first=False)
        if last is not None:
            break
    if last is None:
        last = _first_and_last(path, limits, None, stop_after_first=False)
    return first[0], (last or first)[1]


def _first_and_last(path: Path, limits: Limits, start: int | None, *, stop_after_first: bool) -> tuple[int, int] | None:
    container, stream = open_container(path, limits)
    found: tuple[int, int] | None = None
    with container:
        if start is not None:
            with contextlib.suppress(av.error.FFmpegError):
                container.seek(start, stream=stream, backward=True)
        for frame in decode_pictures(container, stream):
            if frame.pts is not None:
                found = (min(found[0], frame.pts), max(found[1], frame.pts)) if found else (frame.pts, frame.pts)
                if stop_after_first:
                    break
    return found


def _count_by_decoding(path: Path, limits: Limits) -> Timeline:
    """The slow way for files without usable timestamps: decode everything once and count."""
    container, stream = open_container(path, limits)
    with container:
        rate = stream.average_rate or stream.base_rate
        count = sum(1 for _ in decode_pictures(container, stream))
    if count == 0:
        raise VideoError(f"No picture of {path.name} can be decoded. Convert it to H.264 mp4.")
    order = np.arange(count, dtype=np.int64)
    return Timeline(order, order[:1], float(1 / rate) if rate else 0.0, True, 0.0, ())
