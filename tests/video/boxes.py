"""Changing the edit list of an mp4 whose index is at its end (ISO 14496-12, 8.6.6)."""

from __future__ import annotations

import struct
from pathlib import Path

EDIT_TICKS = 1000
"""Ticks per second of edit lists in the files that FFmpeg writes."""


def find_box(data: bytes, path: list[bytes], start: int, end: int) -> list[int] | None:
    """Offsets of the nested boxes of a path, the first of each kind; None where there is none."""
    at = start
    while at + 8 <= end:
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if length < 8:
            return None
        if kind == path[0]:
            if len(path) == 1:
                return [at]
            inner = find_box(data, path[1:], at + 8, at + length)
            return None if inner is None else [at, *inner]
        at += length
    return None


def set_edit_list(path: Path, edits: list[tuple[int, int]]) -> bool:
    """Replace the first track's edit list.

    Args:
        edits: start and duration of each, in the track's ticks from its first picture. What the list that is there
            begins with (the delay of B-frames) is added to each start.

    Returns:
        False where the file has no edit list to replace.
    """
    data = bytearray(path.read_bytes())
    where = find_box(bytes(data), [b"moov", b"trak", b"edts", b"elst"], 0, len(data))
    if where is None:
        return False
    moov, trak, elst = where[0], where[1], where[3]
    media = find_box(bytes(data), [b"mdia", b"mdhd"], trak + 8, len(data))
    movie = find_box(bytes(data), [b"mvhd"], moov + 8, len(data))
    assert media is not None and movie is not None and data[media[1] + 8] == 0 and data[elst + 8] == 0
    (ticks,) = struct.unpack(">I", data[media[1] + 20 : media[1] + 24])
    (movie_ticks,) = struct.unpack(">I", data[movie[0] + 20 : movie[0] + 24])
    assert movie_ticks == EDIT_TICKS
    old, (count,) = struct.unpack(">I", data[elst : elst + 4])[0], struct.unpack(">I", data[elst + 12 : elst + 16])
    entries = [struct.unpack(">Ii", data[elst + 16 + 12 * n : elst + 24 + 12 * n]) for n in range(count)]
    delay = next(begin for _, begin in entries if begin >= 0)
    body = b"".join(
        # Rounded down: a rounded-up length would show the next picture for a moment.
        struct.pack(">Iihh", length * movie_ticks // ticks, start + delay, 1, 0)
        for start, length in edits
    )
    new = struct.pack(">I4sII", 16 + len(body), b"elst", 0, len(edits)) + body
    data[elst : elst + old] = new
    for box in where[:3]:
        size = struct.unpack(">I", data[box : box + 4])[0] + len(new) - old
        data[box : box + 4] = struct.pack(">I", size)
    path.write_bytes(data)
    return True
