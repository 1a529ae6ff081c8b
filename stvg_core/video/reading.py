"""One read of a file that is opened for it. What reads more than once keeps a ``VideoReader`` open."""

from __future__ import annotations

from collections.abc import Iterator

from stvg_core.tube import Array, Frames, VideoInfo
from stvg_core.video.container import Limits
from stvg_core.video.reader import VideoReader


def read_frames(
    info: VideoInfo, indices: Array, *, max_side: int | None = None, limits: Limits | None = None
) -> Frames:
    """Decode frames of a probed file, with decord where that is proved to be right; see :meth:`VideoReader.read`."""
    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        return reader.read_once(indices, max_side=max_side)


def iter_frames(info: VideoInfo, *, limits: Limits | None = None) -> Iterator[tuple[int, Array]]:
    """Every frame once, in order, as ``(index, (H, W, 3) uint8 RGB)``; memory for one picture at a time."""
    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        yield from reader.stream()


def frame_seconds(info: VideoInfo, *, limits: Limits | None = None) -> Array:
    """``(n_frames,)`` float64: when each frame is shown, in seconds from the first; nothing is decoded."""
    with VideoReader(info, limits=limits, kept_bytes=0) as reader:
        return reader.seconds
