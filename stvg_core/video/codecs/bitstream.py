"""Bits, Exp-Golomb numbers, and the units that H.264 and HEVC packets are made of (ITU-T H.264 7.3.1, annex B)."""

from __future__ import annotations

from collections.abc import Iterator


class Bits:
    """Reads a unit's bits from the front; IndexError past its end."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> int:
        value = 0
        for _ in range(count):
            value = value << 1 | (self._data[self._at >> 3] >> (7 - (self._at & 7)) & 1)
            self._at += 1
        return value

    def unsigned(self) -> int:
        """ue(v)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
            if zeros > 32:
                raise IndexError("no Exp-Golomb number")
        return (1 << zeros) - 1 + self.take(zeros)

    def signed(self) -> int:
        """se(v)."""
        code = self.unsigned()
        return (code + 1) // 2 if code % 2 else -(code // 2)


def payload(unit: bytes, limit: int = 4096) -> bytes:
    """A unit without its emulation prevention bytes (00 00 03 stands for 00 00)."""
    return unit[:limit].replace(b"\0\0\3", b"\0\0")


def length_size(extradata: bytes, at: int) -> int:
    """Bytes of the length in front of each unit (avcC, hvcC); 0 where units begin with start codes (annex B)."""
    return (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else 0


class Damaged(Exception):
    """A packet's bytes are not what its codec writes."""


def units(data: bytes, size: int) -> Iterator[bytes]:
    """The units of one packet, without what is in front of them. Lazy: long slices are not searched unasked.

    Raises:
        Damaged: the packet is not made of units.
    """
    return _sized(data, size) if size else _started(data)


def _sized(data: bytes, size: int) -> Iterator[bytes]:
    at, end = 0, len(data)
    while at + size < end:
        length = int.from_bytes(data[at : at + size], "big")
        at += size
        if at + length > end:
            raise Damaged
        if length:
            yield data[at : at + length]
        at += length


def _started(data: bytes) -> Iterator[bytes]:
    at = data.find(b"\0\0\1")
    if at < 0 and data:
        raise Damaged
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = data[at + 3 : following if following >= 0 else len(data)]
        if unit:
            yield unit
        at = following
