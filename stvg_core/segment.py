"""A part of a video as if it were a video of its own: nothing outside of it is ever looked at.

VidSTG asks about parts of long videos (``used_segment``). Everything that looks at a video then looks at a
:class:`PartOf` it, whose frames count from 0; only the answer is given in the frame numbers of the whole video again.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from stvg_core.errors import QueryError
from stvg_core.tube import Array, Frames, Segment, Track, VideoInfo
from stvg_core.video import Pictures
from stvg_core.video.indices import check_indices


def check_segment(segment: Any, info: VideoInfo) -> Segment:
    """The first and the last frame of a part, both included, as whole numbers.

    Raises:
        QueryError: not two whole numbers, in the wrong order, or not in the video.
    """
    try:
        first, last = (operator.index(frame) for frame in segment)
    except (TypeError, ValueError):
        raise QueryError(
            f"A segment is its first and its last frame, two whole numbers, and not {segment!r}."
        ) from None
    if first > last:
        raise QueryError(f"The segment ends before it begins: frames {first} to {last}.")
    if first < 0 or last >= info.n_frames:
        raise QueryError(
            f"The segment is frames {first} to {last}; the video has frames 0 to {info.n_frames - 1} (counted from 0)."
        )
    return first, last


def part_info(info: VideoInfo, segment: Segment) -> VideoInfo:
    """What a probe would say of the part alone; ``segment`` in it tells it from a whole video."""
    first, last = segment
    n_frames = last - first + 1
    times = None if info.times is None else info.times[first : last + 1] - info.times[first]
    known = times is not None or not info.variable_rate
    lasts = info.end_of(last) - info.seconds_of(first) if known else n_frames / info.fps
    return replace(info, n_frames=n_frames, duration_s=lasts, times=times, segment=segment)


def track_within(track: Track, segment: Segment) -> Track | None:
    """What there is of a track between the segment's ends, in the part's frame numbers; None where it is elsewhere."""
    first, last = max(segment[0], int(track.frames[0])), min(segment[1], int(track.frames[-1]))
    if first > last:
        return None
    inside = track.frames[(track.frames >= first) & (track.frames <= last)]
    frames = np.union1d(inside, [first, last])
    return Track(frames - segment[0], track.at(frames), track.score, track.source, track.label)


class PartOf:
    """The pictures of a part of an open video, see :class:`stvg_core.video.Pictures`. Closing it closes the video.

    Args:
        video: the whole one.
        segment: checked, see :func:`check_segment`.
    """

    def __init__(self, video: Pictures, segment: Segment) -> None:
        self._video, self._segment = video, segment

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._video.close()

    @property
    def info(self) -> VideoInfo:
        return part_info(self._video.info, self._segment)

    @property
    def seconds(self) -> Array:
        seconds: Array = self._video.seconds[self._segment[0] : self._segment[1] + 1]
        return np.asarray(seconds - seconds[0])

    def expect(self, indices: Iterable[int]) -> None:
        self._video.expect(int(index) + self._segment[0] for index in indices)

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        wanted = self.check(indices)
        frames = self._video.read(wanted + self._segment[0], max_side=max_side)
        return Frames(pixels=frames.pixels, indices=wanted, seconds=self.seconds[wanted])

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]:
        first, last = self._segment
        wanted = self.check(np.arange(last - first + 1) if indices is None else indices)
        for index, picture in self._video.stream(wanted + first, max_side=max_side):
            yield index - first, picture

    def check(self, indices: Array) -> Array:
        return check_indices(indices, self._segment[1] - self._segment[0] + 1)
