"""A file while it is being fetched: who writes it, how much of it is here, and what becomes of it?

Its writer holds a lock on it. A part without one was left by a process that died, and is removed.
"""

from __future__ import annotations

import fcntl
import io
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from backend.media.locks import unused

_LOOK_EVERY = 64 << 20
"""Bytes after which is looked whether all still fits."""


class Part:
    """A temporary file, gone at the end of the block unless it was given another name.

    Args:
        look: called before the first byte, and again after many more.
    """

    def __init__(self, folder: Path, look: Callable[[], object]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(suffix=".part", dir=folder)
        self.path = Path(name)
        self.file = _Looking(handle, look)
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.file.close()
        finally:
            self.path.unlink(missing_ok=True)

    def complete(self) -> None:
        """All bytes are on the disk; raises OSError where there is no room for the last of them."""
        self.file.flush()
        os.fsync(self.file.fileno())


class _Looking(io.BufferedWriter):
    def __init__(self, handle: int, look: Callable[[], object]) -> None:
        super().__init__(io.FileIO(handle, "wb"))
        self._look, self._since = look, _LOOK_EVERY

    def write(self, data: bytes | bytearray | memoryview, /) -> int:  # type: ignore[override]
        self.grows(len(data))
        return super().write(data)

    def grows(self, more: int) -> None:
        self._since += more
        if self._since >= _LOOK_EVERY:
            self._since = 0
            self._look()


def has_grown(file: BinaryIO, more: int) -> None:
    """Another process writes into the file, and has written so many more bytes: does all still fit?"""
    if isinstance(file, _Looking):
        file.grows(more)


def parts(folder: Path) -> int:
    """How many bytes are being fetched; what dead processes left is removed."""
    total = 0
    for part in folder.glob("*.part"):
        with unused(part, without_locks=False) as left:
            try:
                if left:
                    part.unlink(missing_ok=True)
                else:
                    total += part.stat().st_size
            except OSError:
                continue
    return total
