"""Decoded pictures that may be asked for again, up to a number of bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any


class KeptPictures:
    """Pictures by frame, as the decoder gave them (most codecs: 1.5 bytes per pixel).

    Where there is no room for all, what nobody expects to need goes first, the longest unused of it; then what is
    needed last.

    Args:
        budget: bytes.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.bytes = 0
        self._rank: dict[int, int] = {}  # expected frame -> when it is needed
        self._passed: OrderedDict[int, Any] = OrderedDict()
        self._awaited: dict[int, Any] = {}

    @property
    def expected(self) -> list[int]:
        """The frames that are still to be asked for and are not here yet."""
        return [frame for frame in self._rank if frame not in self._awaited and frame not in self._passed]

    def expect(self, frames: Iterable[int]) -> None:
        """From now on these will be needed, in this order, and no others."""
        self._rank = {}
        for rank, frame in enumerate(frames):
            self._rank.setdefault(frame, rank)
        every = [*self._passed.items(), *self._awaited.items()]
        self._passed = OrderedDict((frame, picture) for frame, picture in every if frame not in self._rank)
        self._awaited = {frame: picture for frame, picture in every if frame in self._rank}

    def fits_expected(self, picture: Any) -> bool:
        """Whether there is room for all expected frames, if they are as large as this picture."""
        return len(self._rank) * picture_bytes(picture) <= self.budget

    def get(self, frame: int) -> Any:
        """The picture, or None."""
        if frame in self._passed:
            self._passed.move_to_end(frame)
            return self._passed[frame]
        return self._awaited.get(frame)

    def take(self, frame: int) -> Any:
        """The picture, or None; it is not expected any more."""
        self._rank.pop(frame, None)
        if frame in self._awaited:
            self._passed[frame] = self._awaited.pop(frame)
        return self.get(frame)

    def put(self, frame: int, picture: Any) -> None:
        if self.budget <= 0 or frame in self._passed or frame in self._awaited:
            return
        size = picture_bytes(picture)
        if size > self.budget:
            return
        (self._awaited if frame in self._rank else self._passed)[frame] = picture
        self.bytes += size
        while self.bytes > self.budget:
            if self._passed:
                _, dropped = self._passed.popitem(last=False)
            else:
                dropped = self._awaited.pop(max(self._awaited, key=self._rank.__getitem__))
            self.bytes -= picture_bytes(dropped)

    def clear(self) -> None:
        self._passed.clear()
        self._awaited.clear()
        self.bytes = 0


def picture_bytes(picture: Any) -> int:
    """Memory of one PyAV frame."""
    return sum(plane.buffer_size for plane in picture.planes)
