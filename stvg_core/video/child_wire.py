"""How do pictures come from a decoding child? In a file that lies in memory; what is said of them is JSON.

Nothing is unpickled: a file that takes over the decoder gets no further than to wrong pictures.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.children.wire import Closed
from stvg_core.tube import Array, VideoInfo

BATCH = 8
"""Pictures that one request asks for at most: as many as a reader looks ahead."""


class SharedMemory:
    """A file without a name, in memory where the system can do that, seen by both processes.

    It grows, and never shrinks: a mapping whose file has shrunk kills whoever reads it.

    Attributes:
        descriptor: of the file.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def new(cls) -> SharedMemory:
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("stvg-pictures", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
            with suppress(OSError, AttributeError):
                fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
            return cls(descriptor)
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def put(self, array: Array, place: int = 0) -> None:
        """Write an array at ``place`` bytes from the start; the file grows as needed."""
        end = place + array.nbytes
        if os.fstat(self.descriptor).st_size < end:
            os.ftruncate(self.descriptor, end)
        np.copyto(self._view(array.dtype, array.shape, place), array)

    def take(self, into: Array, place: int = 0) -> None:
        """Fill an array with what lies at ``place``; raises Closed where there is less."""
        if os.fstat(self.descriptor).st_size < place + into.nbytes:
            raise Closed
        np.copyto(into, self._view(into.dtype, into.shape, place))

    def close(self) -> None:
        self._map = None
        os.close(self.descriptor)

    def _view(self, dtype: Any, shape: tuple[int, ...], place: int) -> Array:
        size = os.fstat(self.descriptor).st_size
        if self._map is None or len(self._map) < size:
            self._map = mmap.mmap(self.descriptor, size)
        return np.ndarray(shape, dtype, self._map, place)


def info_to_json(info: VideoInfo) -> dict[str, Any]:
    """All but the times of the frames, which are many."""
    return {
        "path": str(info.path), "width": info.width, "height": info.height, "fps_num": info.fps_num,
        "fps_den": info.fps_den, "n_frames": info.n_frames, "duration_s": info.duration_s,
        "variable_rate": info.variable_rate, "warnings": list(info.warnings),
    }  # fmt: skip


def info_from_json(known: dict[str, Any], times: Array | None) -> VideoInfo:
    """A video's facts as :func:`info_to_json` wrote them; the times of its frames travel beside."""
    return VideoInfo(**known | {"warnings": tuple(known["warnings"]), "times": times, "path": str(Path(known["path"]))})
