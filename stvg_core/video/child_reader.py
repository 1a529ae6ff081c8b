"""A video reader whose decoding is done in a child process, with limits of time and memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from stvg_core.children.child import Alive
from stvg_core.errors import VideoError
from stvg_core.tube import Array, Frames, VideoInfo
from stvg_core.video.child import DecodingChild
from stvg_core.video.child_wire import BATCH, info_to_json
from stvg_core.video.container import Limits
from stvg_core.video.indices import check_indices
from stvg_core.video.reader import KEPT_BYTES
from stvg_core.video.shaping import shrunk_size
from stvg_core.video.timeline import file_version

if TYPE_CHECKING:
    from stvg_core.video.child_processes import DecodingProcesses


class ChildReader:
    """The public face of :class:`stvg_core.video.VideoReader` before a file that is open in a child process.

    Closing it hands the process back; a later read takes one again.

    Attributes:
        alive: called instead of that of the processes, where it is set.

    Raises:
        VideoError: as there; and where the process hangs, crashes, or needs too much memory.
    """

    def __init__(
        self, processes: DecodingProcesses, source: str | Path | VideoInfo, *, limits: Limits | None = None,
        kept_bytes: int = KEPT_BYTES, alive: Alive | None = None,
    ) -> None:  # fmt: skip
        self.alive = alive
        self._processes, self._limits, self._kept_bytes = processes, limits or Limits(), kept_bytes
        known = source if isinstance(source, VideoInfo) else None
        self._path = Path(source.path if isinstance(source, VideoInfo) else source)
        self._version = file_version(self._path)
        self._child: DecodingChild | None = None
        self._seconds: Array | None = None
        self._expected: list[int] = []
        self._info = self._open(known)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of the process; a later read opens it again."""
        child, self._child = self._child, None
        if child is None:
            return
        try:
            if child.running:
                child.last({"do": "close"}, f"the end of {self._path.name}")
        except VideoError:
            pass  # the process is gone, and the file with it
        finally:
            self._processes.give_back(child)

    @property
    def info(self) -> VideoInfo:
        return self._info

    @property
    def seconds(self) -> Array:
        if self._seconds is None:
            child = self._opened()
            self._last({"do": "seconds"}, f"the times of {self._path.name}")
            found = np.empty(self._info.n_frames, np.float64)
            child.memory.take(found)
            self._seconds = found
        return self._seconds

    def expect(self, indices: Iterable[int]) -> None:
        self._expected = [int(index) for index in indices]
        if self._child is not None:
            self._last({"do": "expect", "frames": self._expected}, self._path.name)

    def keep(self, kept_bytes: int) -> None:
        self._kept_bytes = kept_bytes
        if self._child is not None and self._child.running:
            self._last({"do": "keep", "bytes": kept_bytes}, self._path.name)

    def prepare(self, indices: Array) -> Iterator[int]:
        frames = np.unique(self.check(indices)).tolist()
        self._expected = frames
        asked = {"do": "prepare", "frames": frames}
        answers = self._opened().ask(asked, f"frame {frames[0]} of {self._path.name}", self._heard)
        for number, answer in enumerate(answers):
            if not answer.get("last"):
                yield frames[number]

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        wanted = self.check(indices)
        width, height = shrunk_size(self._info.width, self._info.height, max_side)
        pixels = np.empty((len(wanted), height, width, 3), np.uint8)
        order = np.argsort(wanted, kind="stable")
        unique, first = np.unique(wanted[order], return_index=True)
        rows = np.split(order, first[1:])
        seconds = np.empty(len(wanted), np.float64)
        for number, second in enumerate(self._pictures(unique, max_side, [pixels[row[0]] for row in rows])):
            seconds[rows[number]] = second
            for row in rows[number][1:]:
                pixels[row] = pixels[rows[number][0]]
        return Frames(pixels=pixels, indices=wanted, seconds=seconds)

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]:
        wanted = self.check(np.arange(self._info.n_frames) if indices is None else indices)
        width, height = shrunk_size(self._info.width, self._info.height, max_side)
        for first in range(0, len(wanted), BATCH):
            some = wanted[first : first + BATCH]
            pictures = [np.empty((height, width, 3), np.uint8) for _ in some]
            for _ in self._pictures(some, max_side, pictures):
                pass
            yield from zip(some.tolist(), pictures, strict=True)

    def check(self, indices: Array) -> Array:
        return check_indices(indices, self._info.n_frames)

    def _pictures(self, frames: Array, max_side: int | None, into: list[Array]) -> Iterator[float]:
        """Fill the arrays, one per frame; after each yields when the frame is shown, in seconds from the first."""
        for start in range(0, len(frames), BATCH):
            some, arrays = frames[start : start + BATCH], into[start : start + BATCH]
            child = self._opened()
            asked = {"do": "read", "frames": some.tolist(), "max_side": max_side}
            answers = child.ask(asked, f"frame {some[0]} of {self._path.name}", self._heard)
            for number, answer in enumerate(answers):
                if answer.get("last"):
                    self._info = dataclasses.replace(self._info, warnings=tuple(answer["warnings"]))
                    continue
                child.memory.take(arrays[number], number * arrays[number].nbytes)
                yield float(answer["second"])

    def _opened(self) -> DecodingChild:
        """The process that has the file open."""
        if self._child is not None and not self._child.running:
            self.close()
        if self._child is None:
            if file_version(self._path) != self._version:
                raise VideoError(
                    f"{self._path.name} has changed while it was being used. Start again with the new file."
                )
            self._info = self._open(self._info)
            if self._expected:
                self._last({"do": "expect", "frames": self._expected}, self._path.name)
        assert self._child is not None
        return self._child

    def _open(self, known: VideoInfo | None) -> VideoInfo:
        child = self._processes.take()
        asked = {
            "do": "open", "path": str(self._path), "known": None if known is None else info_to_json(known),
            "limits": dataclasses.asdict(self._limits), "kept_bytes": self._kept_bytes,
        }  # fmt: skip
        try:
            info = child.described(child.last(asked, f"the beginning of {self._path.name}", self._heard))
        except BaseException:
            self._processes.give_back(child)
            raise
        self._child = child
        return info if known is None else dataclasses.replace(info, times=known.times)

    def _last(self, asked: dict[str, Any], at: str) -> dict[str, Any]:
        return self._opened().last(asked, at, self._heard)

    def _heard(self) -> None:
        alive = self.alive or self._processes.alive
        if alive is not None:
            alive()
