"""How do a process and its child talk? JSON messages over a socket. Nothing is unpickled."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

_LENGTH = struct.Struct(">I")
_PIECE = 1 << 16
_LARGEST = 64 << 20
"""Bytes of a message: requests name a few million frames at most."""
_WITH_FILE = "with_file"


class Closed(Exception):
    """The other end is gone."""


class Wire:
    """Messages over one end of a socket.

    Args:
        takes_files: a message that comes with an open file has its number under ``descriptor``. Only the child takes
            them: what the parent opens, it opens itself.
    """

    def __init__(self, end: socket.socket, *, takes_files: bool = False) -> None:
        self._end, self._takes_files = end, takes_files
        self._got = bytearray()
        self._files: list[int] = []

    def send(self, message: dict[str, Any], file: int | None = None) -> None:
        """Send a message, and with it the open file of that number, which both have then. Raises Closed."""
        data = json.dumps(message if file is None else message | {_WITH_FILE: True}).encode()
        data = _LENGTH.pack(len(data)) + data
        try:
            self._end.settimeout(None)
            sent = 0 if file is None else socket.send_fds(self._end, [data], [file])
            self._end.sendall(data[sent:])
        except OSError:
            raise Closed from None

    def receive(self, timeout_s: float | None = None) -> dict[str, Any] | None:
        """The next message; None where nothing came for so long. Raises Closed."""
        while (message := self._whole()) is None:
            try:
                self._end.settimeout(timeout_s)
                piece = self._piece()
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

    def _piece(self) -> bytes:
        if not self._takes_files:
            return self._end.recv(_PIECE)
        piece, files, _, _ = socket.recv_fds(self._end, _PIECE, 1)
        self._files += files
        return piece

    def _whole(self) -> dict[str, Any] | None:
        if len(self._got) < _LENGTH.size:
            return None
        length = _LENGTH.unpack_from(self._got)[0]
        if length > _LARGEST:  # a process that was taken over could fill the memory of the other one
            raise Closed
        end = _LENGTH.size + length
        if len(self._got) < end:
            return None
        message: dict[str, Any] = json.loads(self._got[_LENGTH.size : end])
        del self._got[:end]
        if message.pop(_WITH_FILE, False) and self._takes_files:
            message["descriptor"] = self._files.pop(0)  # it comes with the message's first byte at the latest
        return message
