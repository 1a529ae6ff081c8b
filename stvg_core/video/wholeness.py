"""Is the end of this file missing, although its beginning can be read?

Each container says something of its own length, and a cut leaves it broken: a packet that is not whole, a unit that
claims to go past the end of the file, a size in the header. Where a file ends between two whole units and the container
says nothing of what should follow, a cut cannot be known: that is so between two pictures of an MPEG-TS, two blocks of
a Matroska file of unknown size, two packs of an MPEG-PS whose last picture is whole. mp4 is judged by the timeline.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import av.error

from stvg_core.video.beat import DECODED, beat
from stvg_core.video.container import Limits, open_container
from stvg_core.video.transport import transport_end

END_MISSING = "The end of the file is damaged or missing; only the readable part is used."

_TAIL = 1 << 20
_SEGMENT, _CLUSTER = 0x18538067, 0x1F43B675
_ASF_FILE = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_PS_END, _PS_PACK = 0xB9, 0xBA


def end_is_missing(path: Path, limits: Limits) -> bool:
    """True only where the file cannot be whole."""
    with path.open("rb") as file:
        head = file.read(1 << 16)
        size = path.stat().st_size
        look = _looker(head)
        if look is not None:
            return look(file, size, head)
        sure, unsure = transport_end(file, size, head)
        if head[:3] == b"\0\0\1" and head[3] == _PS_PACK:
            sure, unsure = _program_end(file, size)
    return sure or (unsure and not _last_picture_is_whole(path, limits))


def _looker(head: bytes) -> Callable[[BinaryIO, int, bytes], bool] | None:
    if head[:4] == b"\x1aE\xdf\xa3":
        return _matroska
    if head[:4] == b"RIFF":
        return _riff
    if head[:3] == b"FLV":
        return _flash
    if head[:4] == b"OggS":
        return _ogg
    return _asf if _ASF_FILE in head else None


def _matroska(file: BinaryIO, size: int, head: bytes) -> bool:
    """Does an element go past the end? Segments and clusters of unknown size (live recordings) are walked through."""
    at = elements = 0
    while at < size:
        elements += 1
        beat(elements)
        file.seek(at)
        found = _element(file.read(12))
        if found is None:
            return at + 12 > size  # an element's head is cut; or bytes that are no element, which players pass over
        kind, length, start = found
        if kind in (_SEGMENT, _CLUSTER) and length is None:
            at += start
            continue
        if length is None:
            return False
        if at + start + length > size:
            return True
        at += start + length
    return False


def _element(data: bytes) -> tuple[int, int | None, int] | None:
    """``(id, length or None for unknown, bytes of its head)`` of an EBML element; None where there is none."""
    if not data or data[0] == 0:
        return None
    id_bytes = 9 - data[0].bit_length()
    if id_bytes > 4 or len(data) <= id_bytes or data[id_bytes] == 0:
        return None
    size_bytes = 9 - data[id_bytes].bit_length()
    if len(data) < id_bytes + size_bytes:
        return None
    value = int.from_bytes(data[id_bytes : id_bytes + size_bytes], "big") & ((1 << 7 * size_bytes) - 1)
    unknown = value == (1 << 7 * size_bytes) - 1
    return int.from_bytes(data[:id_bytes], "big"), None if unknown else value, id_bytes + size_bytes


def _riff(file: BinaryIO, size: int, head: bytes) -> bool:
    """AVI: a RIFF part that goes past the end. A recorder that never came back wrote 0 or the largest size."""
    at = 0
    while at + 8 <= size:
        file.seek(at)
        kind, length = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF":
            return False
        if length == 0 or length >= 2**32 - 8:
            return False
        at += 8 + length + length % 2
    return at > size + 1


def _flash(file: BinaryIO, size: int, head: bytes) -> bool:
    """FLV: the size that the header declares, and the last tag."""
    named = head.find(b"filesize\0")
    if named >= 0 and len(head) >= named + 17:
        declared = struct.unpack(">d", head[named + 9 : named + 17])[0]
        if declared > size:
            return True
    at, tags = int.from_bytes(head[5:9], "big") + 4, 0
    while at + 11 <= size:
        tags += 1
        beat(tags)
        file.seek(at)
        tag = file.read(4)
        if tag[0] & 0x1F not in (8, 9, 18):
            return False  # bytes that are no tag: players stop here too
        at += 11 + int.from_bytes(tag[1:4], "big") + 4
    return at != size and at - 4 != size  # some writers leave the last tag's size out


def _ogg(file: BinaryIO, size: int, head: bytes) -> bool:
    """Ogg: the last page is whole and marked as a stream's last."""
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or len(tail) < at + 27 or len(tail) < at + 27 + tail[at + 26]:
        return True
    length = 27 + tail[at + 26] + sum(tail[at + 27 : at + 27 + tail[at + 26]])
    return at + length > len(tail) or not tail[at + 5] & 4


def _asf(file: BinaryIO, size: int, head: bytes) -> bool:
    """WMV: the header declares the file's size, unless it was broadcast."""
    at = head.index(_ASF_FILE)
    if len(head) < at + 92:
        return False
    declared, flags = struct.unpack("<Q", head[at + 40 : at + 48])[0], head[at + 88]
    return not flags & 1 and declared > size


def _program_end(file: BinaryIO, size: int) -> tuple[bool, bool]:
    """MPEG-PS: ``(surely cut, perhaps cut)``. Whole files end with an end code; some writers leave it out."""
    file.seek(max(0, size - _TAIL))
    tail = file.read()
    at = tail.find(b"\0\0\1\xba")
    while 0 <= at <= len(tail) - 4:
        if tail[at : at + 3] != b"\0\0\1":
            at = tail.find(b"\0\0\1\xba", at + 1)  # lost: on to the next pack
            continue
        kind = tail[at + 3]
        if kind == _PS_END:
            if at + 4 == len(tail):
                return False, False
            at += 4
        elif kind == _PS_PACK:
            if at + 14 > len(tail):
                return True, True
            at += 14 + (tail[at + 13] & 7) if tail[at + 4] >> 6 == 1 else 12
        else:
            if at + 6 > len(tail):
                return True, True
            at += 6 + int.from_bytes(tail[at + 4 : at + 6], "big")
    return at > len(tail) or 0 <= at < len(tail), True


def _last_picture_is_whole(path: Path, limits: Limits) -> bool:
    """Does what the last packet holds decode without a complaint? Decodes the last group of pictures."""
    container, stream = open_container(path, limits)
    with container:
        try:
            keys, last_key = 0, 0
            for number, packet in enumerate(container.demux(stream), 1):
                beat(number)
                if packet.size and packet.is_keyframe and packet.pts is not None:
                    keys, last_key = keys + 1, packet.pts
        except av.error.FFmpegError:
            return False
    container, stream = open_container(path, limits)
    whole = True
    with container:
        stream.codec_context.options = stream.codec_context.options | {"err_detect": "explode"}
        stream.codec_context.thread_type = "NONE"  # so that an error comes with its own packet
        if keys > 1:
            container.seek(last_key, stream=stream, backward=True)
        for number, packet in enumerate(container.demux(stream), 1):
            beat(number, DECODED)
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                whole = False
                continue
            if packet.size:
                whole = not packet.is_corrupt and not any(picture.is_corrupt for picture in pictures)
                if stream.codec_context.name == "mpeg2video":
                    whole = whole and _reaches_the_last_row(bytes(packet), stream.codec_context.height)
    return whole


def _reaches_the_last_row(packet: bytes, height: int) -> bool:
    """MPEG-2 decoders fill a picture's missing rows without a word; each slice names its row (ISO 13818-2, 6.3.16)."""
    rows, last = -(-height // 16), 0
    at = packet.find(b"\0\0\1")
    while 0 <= at < len(packet) - 3:
        kind = packet[at + 3]
        if kind == 0xB5 and len(packet) > at + 6 and packet[at + 4] >> 4 == 8 and packet[at + 6] & 3 != 3:
            rows = -(-height // 32)  # a field of an interlaced picture
        if 1 <= kind <= 0xAF:
            last = kind
        at = packet.find(b"\0\0\1", at + 3)
    return last == 0 or last >= rows or height > 2800  # taller ones count their rows in another way
