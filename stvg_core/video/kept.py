"""Decoded pictures that may be asked for again, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any


class KeptPictures:
    """Pictures by frame, as the decoder gave them (most codecs: 1.5 bytes per pixel).

    What is expected to be asked for stays longest; of the rest, what was used or decoded last.

    Args:
        budget: bytes; a picture that is larger than what is free is not kept.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._expected: set[int] = set()
        self._passed: OrderedDict[int, Any] = OrderedDict()
        self._awaited: OrderedDict[int, Any] = OrderedDict()

    def expect(self, frames: Iterable[int]) -> None:
        """From now on these, and no others, are expected."""
        self._expected = set(frames)
        every = [*self._passed.items(), *self._awaited.items()]
        self._passed = OrderedDict((k, v) for k, v in every if k not in self._expected)
        self._awaited = OrderedDict((k, v) for k, v in every if k in self._expected)

    def get(self, frame: int) -> Any:
        """The picture, or None."""
        for part in (self._awaited, self._passed):
            if frame in part:
                part.move_to_end(frame)
                return part[frame]
        return None

    def put(self, frame: int, picture: Any) -> None:
        size = picture_bytes(picture)
        if size > self.budget or self.get(frame) is not None:
            return
        (self._awaited if frame in self._expected else self._passed)[frame] = picture
        self.bytes += size
        while self.bytes > self.budget:
            part = self._passed or self._awaited
            _, dropped = part.popitem(last=False)
            self.bytes -= picture_bytes(dropped)

    def clear(self) -> None:
        self._passed.clear()
        self._awaited.clear()
        self.bytes = 0


def picture_bytes(picture: Any) -> int:
    """Memory of one PyAV frame."""
    return sum(plane.buffer_size for plane in picture.planes)
