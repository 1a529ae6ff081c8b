"""How do a process and its decoding child talk? JSON messages over a socket, pictures in a file that lies in memory.

Nothing is unpickled: a file that takes over the decoder gets no further than to wrong pictures.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.tube import Array, VideoInfo

_LENGTH = struct.Struct(">I")
_PIECE = 1 << 16
BATCH = 8
"""Pictures that one request asks for at most: as many as a reader looks ahead."""


class Closed(Exception):
    """The other end is gone."""


class Wire:
    """Messages over one end of a socket."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._got = bytearray()

    def send(self, message: dict[str, Any]) -> None:
        """Raises Closed."""
        data = json.dumps(message).encode()
        try:
            self._end.settimeout(None)
            self._end.sendall(_LENGTH.pack(len(data)) + data)
        except OSError:
            raise Closed from None

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message; None where nothing came for so long. Raises Closed."""
        while (message := self._whole()) is None:
            try:
                self._end.settimeout(timeout_s)
                piece = self._end.recv(_PIECE)
            except TimeoutError:
                return None
            except OSError:
                raise Closed from None
            if not piece:
                raise Closed
            self._got += piece
        return message

    def close(self) -> None:
        self._end.close()

    def _whole(self) -> dict[str, Any] | None:
        if len(self._got) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._got)[0]
        if len(self._got) < end:
            return None
        message: dict[str, Any] = json.loads(self._got[_LENGTH.size : end])
        del self._got[:end]
        return message


def memory_file() -> int:
    """A file without a name, in memory where the system can do that; its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("stvg-pictures")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def put(memory: int, array: Array, place: int = 0) -> None:
    """Write an array's bytes at ``place``."""
    data = memoryview(np.ascontiguousarray(array)).cast("B")
    while data:
        written = os.pwrite(memory, data, place)
        data, place = data[written:], place + written


def take(memory: int, into: Array, place: int = 0) -> None:
    """Fill a contiguous array with the bytes at ``place``; raises Closed where there are fewer."""
    data = memoryview(into).cast("B")
    while data:
        got = os.preadv(memory, [data], place)
        if got == 0:
            raise Closed
        data, place = data[got:], place + got


def info_to_json(info: VideoInfo) -> dict[str, Any]:
    """All but the times of the frames, which are many."""
    return {
        "path": str(info.path), "width": info.width, "height": info.height, "fps_num": info.fps_num,
        "fps_den": info.fps_den, "n_frames": info.n_frames, "duration_s": info.duration_s,
        "variable_rate": info.variable_rate, "warnings": list(info.warnings),
    }  # fmt: skip


def info_from_json(known: dict[str, Any], times: Array | None) -> VideoInfo:
    return VideoInfo(**known | {"warnings": tuple(known["warnings"]), "times": times, "path": str(Path(known["path"]))})
