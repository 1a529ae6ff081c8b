"""Does an MPEG transport stream end with whole packets and whole units?

A PES unit begins with its packet's payload, so the packet before is filled up with stuffing bytes. A unit without a
length of its own (most video) is whole if its last packet is stuffed; if not, it may by chance have filled it.
"""

from __future__ import annotations

from typing import BinaryIO

_KINDS = ((188, 0), (192, 4), (204, 0))
_SYNC = 0x47
_TAIL_PACKETS = 4096


def transport_end(file: BinaryIO, size: int, head: bytes) -> tuple[bool, bool]:
    """``(surely cut, perhaps cut)``; both False for a file that is no transport stream."""
    found = _layout(head)
    if found is None:
        return False, False
    first, length, before = found
    if (size - first) % length:
        return True, True
    count = (size - first) // length
    wanted = min(count, _TAIL_PACKETS)
    while True:
        file.seek(first + (count - wanted) * length)
        tail = file.read()
        units = _last_units(tail, length, before)
        if any(unit.video for unit in units.values()) or wanted == count or wanted >= 64 * _TAIL_PACKETS:
            break
        wanted = min(count, wanted * 4)
    sure = any(unit.missing for unit in units.values())
    return sure, any(unit.unsure for unit in units.values())


class _Unit:
    """The last PES unit of one stream."""

    def __init__(self, payload: bytes, stuffed: bool) -> None:
        self.video = payload[3] & 0xF0 == 0xE0
        self.declared = int.from_bytes(payload[4:6], "big")
        self.have = len(payload) - 6
        self.stuffed = stuffed

    def add(self, payload: bytes, stuffed: bool) -> None:
        self.have += len(payload)
        self.stuffed = stuffed

    @property
    def missing(self) -> bool:
        return self.declared > self.have

    @property
    def unsure(self) -> bool:
        return self.video and self.declared == 0 and not self.stuffed


def _layout(head: bytes) -> tuple[int, int, int] | None:
    """``(offset of the first packet, its length, bytes before its sync byte)``."""
    for start in range(min(len(head), 1024)):
        for length, before in _KINDS:
            places = range(start + before, min(len(head), start + before + 8 * length), length)
            if len(places) >= 3 and all(head[place] == _SYNC for place in places):
                return start, length, before
    return None


def _packets(tail: bytes, length: int, before: int) -> list[bytes]:
    return [tail[at + before : at + before + 188] for at in range(0, len(tail) - length + 1, length)]


def _last_units(tail: bytes, length: int, before: int) -> dict[int, _Unit]:
    units: dict[int, _Unit] = {}
    for packet in _packets(tail, length, before):
        if packet[0] != _SYNC or not packet[3] & 0x10:
            continue
        pid, starts = (packet[1] & 0x1F) << 8 | packet[2], bool(packet[1] & 0x40)
        extra, stuffed = 4, False
        if packet[3] & 0x20:
            extra += 1 + packet[4]
            stuffed = _stuffing(packet[4:extra]) > 0
        payload = packet[extra:]
        if starts and payload[:3] == b"\0\0\1" and len(payload) >= 6:
            units[pid] = _Unit(payload, stuffed)
        elif starts:
            units.pop(pid, None)
        elif pid in units:
            units[pid].add(payload, stuffed)
    return units


def _stuffing(field: bytes) -> int:
    """How many bytes of an adaptation field say nothing?"""
    length = field[0]
    if length == 0:
        return 1
    flags = field[1]
    used = 1 + 6 * bool(flags & 0x10) + 6 * bool(flags & 0x08) + bool(flags & 0x04)
    if flags & 0x03:  # private data or an extension: their own lengths count
        at = 1 + used
        for flag in (0x02, 0x01):
            if flags & flag and at < len(field):
                used += 1 + field[at]
                at += 1 + field[at]
    return length - used
