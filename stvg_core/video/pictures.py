"""What does everything that looks at a video need of a reader, wherever it decodes?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Protocol, Self

from stvg_core.tube import Array, Frames, VideoInfo


class Pictures(Protocol):
    """The pictures of one open video by number; see :class:`stvg_core.video.VideoReader` for each of these."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def close(self) -> None: ...

    @property
    def info(self) -> VideoInfo: ...

    @property
    def seconds(self) -> Array: ...

    def expect(self, indices: Iterable[int]) -> None: ...

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames: ...

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]: ...

    def check(self, indices: Array) -> Array: ...
