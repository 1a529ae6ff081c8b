"""Decoding the frames asked for, and exactly those.

decord is fast at random access but counts pictures its own way: on MPEG-TS, variable frame rate and rotated files its
frame i can be another picture. So it serves a file only where its own timestamps agree with the timeline's, frame by
frame; everything else is decoded by timestamp with PyAV.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import decord
import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array, Frames, VideoInfo
from stvg_core.video.container import Limits, check_size, decode_pictures, open_container
from stvg_core.video.display import read_shown, upright
from stvg_core.video.timeline import Timeline, read_timeline

decord.logging.set_level(decord.logging.QUIET)


def read_frames(
    info: VideoInfo, indices: Array, *, max_side: int | None = None, limits: Limits | None = None
) -> Frames:
    """Decode frames of a probed file.

    Args:
        info: what :func:`stvg_core.video.probe` said of the file.
        indices: ``(T,)`` integers in ``[0, info.n_frames)``, any order, repeats allowed.
        max_side: shrink pictures so that the longer side has at most this many pixels.

    Returns:
        Frames in the order asked for: ``(T, H, W, 3)`` uint8 RGB as displayed, with seconds from the first frame.

    Raises:
        IndexError: an index outside the video.
        VideoError: the file has changed since the probe, or a picture cannot be decoded.
    """
    wanted = np.asarray(indices, dtype=np.int64)
    if wanted.ndim != 1 or len(wanted) == 0:
        raise ValueError(f"frames are asked for by a (T,) list of at least one index, got shape {wanted.shape}")
    if wanted.min() < 0 or wanted.max() >= info.n_frames:
        raise IndexError(f"frames 0 to {info.n_frames - 1} exist, asked for {wanted.min()} to {wanted.max()}")
    path, limits = Path(info.path), limits or Limits()
    timeline = read_timeline(path, limits)
    if len(timeline.pts) != info.n_frames:
        raise VideoError(f"{path.name} has changed while it was being used. Start again with the new file.")
    size = shrunk_size(info.width, info.height, max_side)
    unique, inverse = np.unique(wanted, return_inverse=True)
    pictures = _read_with_decord(path, info, timeline, unique, size)
    if pictures is None:
        pictures = _read_with_pyav(path, timeline, unique, size, limits)
    seconds = wanted / info.fps if timeline.ordinal else timeline.seconds[wanted]
    return Frames(pixels=pictures[inverse], indices=wanted, seconds=np.asarray(seconds, dtype=np.float64))


def iter_frames(info: VideoInfo, *, limits: Limits | None = None) -> Iterator[tuple[int, Array]]:
    """Every frame once, in order, as ``(index, (H, W, 3) uint8 RGB)``; memory for one picture at a time."""
    path, limits = Path(info.path), limits or Limits()
    timeline = read_timeline(path, limits)
    yield from _decode(path, timeline, None, (info.width, info.height), limits)


def frame_seconds(info: VideoInfo, *, limits: Limits | None = None) -> Array:
    """``(n_frames,)`` float64: when each frame is shown, in seconds from the first; nothing is decoded."""
    timeline = read_timeline(Path(info.path), limits or Limits())
    return np.arange(info.n_frames) / info.fps if timeline.ordinal else timeline.seconds


def shrunk_size(width: int, height: int, max_side: int | None) -> tuple[int, int]:
    """``(width, height)`` with the longer side at most ``max_side``, never enlarged."""
    scale = 1.0 if max_side is None else min(1.0, max_side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _read_with_decord(
    path: Path, info: VideoInfo, timeline: Timeline, unique: Array, size: tuple[int, int]
) -> Array | None:
    """``(U, H, W, 3)`` or None where decord cannot be trusted with this file."""
    if info.variable_rate or info.warnings or timeline.ordinal or not _is_mp4_or_matroska(path):
        return None
    if not read_shown(path, Limits()).plain:
        return None
    try:
        reader = decord.VideoReader(str(path.absolute()), width=size[0], height=size[1], num_threads=1)
        if len(reader) != info.n_frames:
            return None
        shown = np.asarray(reader.get_frame_timestamp(np.arange(info.n_frames)), dtype=np.float64)[:, 0]
        if np.abs((shown - shown[0]) - timeline.seconds).max() > 0.25 / info.fps:
            return None
        return np.asarray(reader.get_batch(unique.tolist()).asnumpy())
    except (decord.DECORDError, RuntimeError, IndexError):
        return None  # PyAV is the judge of what cannot be decoded


def _is_mp4_or_matroska(path: Path) -> bool:
    with path.open("rb") as file:
        head = file.read(8)
    return head[4:8] == b"ftyp" or head[:4] == b"\x1aE\xdf\xa3"


def _read_with_pyav(path: Path, timeline: Timeline, unique: Array, size: tuple[int, int], limits: Limits) -> Array:
    out = np.zeros((len(unique), size[1], size[0], 3), dtype=np.uint8)
    row, latest = 0, None
    for index, picture in _decode(path, timeline, unique, size, limits):
        # A frame the decoder skipped (damage in the middle) shows what a player shows: the picture before it.
        while row < len(unique) and unique[row] < index:
            out[row] = picture if latest is None else latest
            row += 1
        if row < len(unique) and unique[row] == index:
            out[row] = picture
            row += 1
        latest = picture
    if latest is None:
        raise VideoError(f"No picture of {path.name} can be decoded. Convert it to H.264 mp4.")
    out[row:] = latest
    return out


def _decode(
    path: Path, timeline: Timeline, wanted: Array | None, size: tuple[int, int], limits: Limits
) -> Iterator[tuple[int, Array]]:
    """Decode by timestamp: ``(index, picture)`` of the wanted frames (all with None), indices rising."""
    container, stream = open_container(path, limits)
    goals = None if wanted is None else [int(w) for w in wanted]
    with container:
        if goals is None or timeline.ordinal:
            yield from _decode_run(path, container, stream, timeline, goals, size, limits)
            return
        for group in _seek_groups(timeline, goals):
            key = timeline.key_pts[np.searchsorted(timeline.key_pts, timeline.pts[group[0]], side="right") - 1]
            found = []
            for start in (int(key), None):
                # A seek may land late (MPEG-TS seeks by byte position): then decode from the start of the file.
                container.close()
                container, stream = open_container(path, limits)
                if start is not None:
                    container.seek(start, stream=stream, backward=True)
                found = list(_decode_run(path, container, stream, timeline, group, size, limits))
                if found and found[0][0] == group[0]:
                    break
            yield from found


def _seek_groups(timeline: Timeline, goals: list[int]) -> list[list[int]]:
    """Goals split where jumping to a later key frame saves decoding."""
    key_index = np.searchsorted(timeline.pts, timeline.key_pts)
    groups: list[list[int]] = []
    for goal in goals:
        nearest_key = key_index[np.searchsorted(key_index, goal, side="right") - 1] if len(key_index) else 0
        if groups and nearest_key - groups[-1][-1] < 50:
            groups[-1].append(goal)
        else:
            groups.append([goal])
    return groups


def _decode_run(
    path: Path, container: Any, stream: Any, timeline: Timeline, goals: list[int] | None, size: tuple[int, int],
    limits: Limits,
) -> Iterator[tuple[int, Array]]:  # fmt: skip
    left = None if goals is None else set(goals)
    last = None if goals is None else goals[-1]
    count = -1
    shown = read_shown(path, limits)
    for frame in decode_pictures(container, stream):
        count += 1
        index = count if timeline.ordinal else _index_of(timeline, frame.pts)
        if index is None:
            continue
        if last is not None and index > last:
            return
        if left is None or index in left:
            check_size(path, frame.width, frame.height, limits)
            yield index, upright(frame, size, shown, path.name)
            if left is not None:
                left.discard(index)
                if not left:
                    return


def _index_of(timeline: Timeline, pts: int | None) -> int | None:
    if pts is None:
        return None
    at = int(np.searchsorted(timeline.pts, pts))
    return at if at < len(timeline.pts) and timeline.pts[at] == pts else None
