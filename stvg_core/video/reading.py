"""One read of a file that is opened for it. What reads more than once keeps a ``VideoReader`` open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from stvg_core.tube import Array, Frames, VideoInfo
from stvg_core.video.container import Limits
from stvg_core.video.reader import VideoReader
from stvg_core.video.shaping import shrunk_size
from stvg_core.video.timeline import read_timeline


def read_frames(
    info: VideoInfo, indices: Array, *, max_side: int | None = None, limits: Limits | None = None
) -> Frames:
    """Decode frames of a probed file, with decord where that is proved to be right; see :meth:`VideoReader.read`."""
    from stvg_core.video.fast import read_with_decord  # not loaded by processes that keep a reader open

    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        wanted = reader.check(indices)
        unique, inverse = np.unique(wanted, return_inverse=True)
        timeline = read_timeline(Path(info.path), limits or Limits())
        pictures = read_with_decord(info, timeline, unique, shrunk_size(info.width, info.height, max_side))
        if pictures is None:
            return reader.read(wanted, max_side=max_side)
        return Frames(pixels=pictures[inverse], indices=wanted, seconds=reader.seconds_of(wanted))


def iter_frames(info: VideoInfo, *, limits: Limits | None = None) -> Iterator[tuple[int, Array]]:
    """Every frame once, in order, as ``(index, (H, W, 3) uint8 RGB)``; memory for one picture at a time."""
    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        yield from reader.stream()


def frame_seconds(info: VideoInfo, *, limits: Limits | None = None) -> Array:
    """``(n_frames,)`` float64: when each frame is shown, in seconds from the first; nothing is decoded."""
    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        return reader.seconds
