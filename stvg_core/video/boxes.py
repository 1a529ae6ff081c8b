"""What the boxes of an mp4 or mov file say that FFmpeg does not tell (ISO 14496-12, 4.2)."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

_MOST_EDITS = 100_000  # more are not read: the file is then taken for one of several edits anyway


class Box(NamedTuple):
    """Kind, and byte positions in the file: of its content, and of its end as it claims."""

    kind: bytes
    begin: int
    end: int


def mp4_is_cut(path: Path) -> bool:
    """True where a top-level box of an mp4/mov file claims to go past the end of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        return any(box.end > size for box in _boxes(file, 0, size))


def mp4_is_spliced(path: Path) -> bool:
    """True where a video track may show several parts of itself one after the other, in any order (8.6.6).

    An empty edit shows nothing and is no part.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        for movie in _inner(file, Box(b"", 0, size), b"moov"):
            if any(_inner(file, movie, b"cmov")):
                return True  # compressed: not read here
            for track in _inner(file, movie, b"trak"):
                if (
                    _is_video(file, track)
                    and sum(_parts(file, box) for box in _inner(file, track, b"edts", b"elst")) > 1
                ):
                    return True
    return False


def _boxes(file: BinaryIO, begin: int, end: int) -> Iterator[Box]:
    """The boxes of a range, the last of which may claim to go past its end; what is no box ends them."""
    while begin + 8 <= end:
        file.seek(begin)
        length, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        header = 8
        if not kind.isascii():
            return  # trailing bytes that are no box: players ignore them
        if length == 1:
            length, header = struct.unpack(">Q", file.read(8).ljust(8, b"\0"))[0], 16
        if length == 0:
            length = end - begin  # "to the end of the file"
        if length < header:
            return
        yield Box(kind, begin + header, begin + length)
        begin += length


def _inner(file: BinaryIO, outer: Box, *kinds: bytes) -> Iterator[Box]:
    """All boxes along a path of kinds."""
    for box in _boxes(file, outer.begin, min(outer.end, os.fstat(file.fileno()).st_size)):
        if box.kind == kinds[0]:
            if len(kinds) == 1:
                yield box
            else:
                yield from _inner(file, box, *kinds[1:])


def _is_video(file: BinaryIO, track: Box) -> bool:
    for handler in _inner(file, track, b"mdia", b"hdlr"):
        file.seek(handler.begin + 8)
        return file.read(4) == b"vide"
    return False


def _parts(file: BinaryIO, edit_list: Box) -> int:
    """How many edits of a list show something."""
    file.seek(edit_list.begin)
    version, count = struct.unpack(">B3xI", file.read(8).ljust(8, b"\0"))
    layout = struct.Struct(">8xq4x" if version == 1 else ">4xi4x")
    entries = file.read(layout.size * min(count, _MOST_EDITS))
    entries = entries[: len(entries) // layout.size * layout.size]
    return sum(start >= 0 for (start,) in layout.iter_unpack(entries))
