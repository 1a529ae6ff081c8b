"""Small pictures that were made, kept in memory, and the decoder that makes them."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

from backend.http.stills import Stills
from backend.media.decoding import open_decoding

KEPT_BYTES = 16 << 20
_PATIENCE_S = 4.0
"""How long a picture waits for the decoder before the browser is told to come again."""
_DECODE_S = 20.0
"""A picture that takes longer is done without."""


def small_stills(decode_s: float, memory_bytes: int) -> Stills:
    """One decoder, apart from those of the page of a task: a list of bad videos keeps nobody from that."""
    seconds = min(decode_s, _DECODE_S)
    return Stills(
        lambda: open_decoding(seconds, memory_bytes, idle=0, in_all_s=seconds), at_most=1, patience_s=_PATIENCE_S
    )


class KeptPictures:
    """Pictures by a name that says all that they show; the longest unused ones go. Safe to use from several threads.

    Attributes:
        stills: what decodes them.
    """

    def __init__(self, stills: Stills, *, kept_bytes: int = KEPT_BYTES) -> None:
        self.stills, self._kept_bytes = stills, kept_bytes
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._size, self._lock = 0, Lock()

    def find(self, name: str) -> bytes | None:
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
            return found

    def keep(self, name: str, picture: bytes) -> None:
        with self._lock:
            replaced = self._kept.pop(name, None)
            self._kept[name] = picture
            self._size += _weight(name, picture) - (0 if replaced is None else _weight(name, replaced))
            while self._size > self._kept_bytes:
                self._size -= _weight(*self._kept.popitem(last=False))


def _weight(name: str, picture: bytes) -> int:
    """With what Python itself needs for the two."""
    return len(name) + len(picture) + 200
