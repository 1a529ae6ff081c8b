"""VP8, VP9, AV1, MPEG-1, MPEG-2 and MPEG-4 part 2 packets."""

from __future__ import annotations

from stvg_core.video.codecs.bitstream import Damaged
from stvg_core.video.codecs.facts import HIDDEN, KEY, PLAIN, UNKNOWN, Entry, Facts


def intra(data: bytes, key: bool) -> Facts:
    """Codecs whose pictures all stand alone."""
    return KEY


def vp8(data: bytes, key: bool) -> Facts:
    """RFC 6386, 9.1: a frame that is not shown only serves to predict others (alternate reference)."""
    shown, is_key = data[0] >> 4 & 1, not data[0] & 1
    if not shown:
        return UNKNOWN if is_key else HIDDEN
    return KEY if is_key else PLAIN


def vp9(data: bytes, key: bool) -> Facts:
    """VP9 bitstream specification, 6.2 and annex B: a packet may hold several frames, most of them not shown."""
    frames = _vp9_frames(data)
    kinds = [_vp9_kind(frame) for frame in frames if frame]
    shown = sum(is_shown for is_shown, _ in kinds)
    if shown > 1 or not kinds:
        return UNKNOWN
    if kinds[0][1]:
        return KEY if shown else UNKNOWN
    return PLAIN if shown else HIDDEN


def _vp9_frames(data: bytes) -> list[bytes]:
    mark = data[-1]
    if mark & 0xE0 == 0xC0:
        count, size = (mark & 7) + 1, (mark >> 3 & 3) + 1
        index = 2 + count * size
        if len(data) >= index and data[-index] == mark:
            lengths = data[len(data) - index + 1 : -1]
            frames, at = [], 0
            for number in range(count):
                length = int.from_bytes(lengths[number * size : (number + 1) * size], "little")
                frames.append(data[at : at + length])
                at += length
            return frames
    return [data]


def _vp9_kind(frame: bytes) -> tuple[bool, bool]:
    """Whether it is shown, and whether it is a key frame."""
    first = frame[0]
    at = 4 if first & 0x30 != 0x30 else 5  # after the frame marker, the profile and profile 3's reserved bit
    if first >> (7 - at) & 1:
        return True, False  # a frame that was decoded before is shown now
    later = int.from_bytes(frame[:2].ljust(2, b"\0"), "big")
    return bool(later >> (15 - (at + 2)) & 1), not later >> (15 - (at + 1)) & 1


def av1(data: bytes, key: bool) -> Facts:
    """AV1 bitstream specification, 5.3 and 5.9: a packet is a temporal unit, of which exactly one frame is shown."""
    if not key:
        return PLAIN
    at = 0
    try:
        while at < len(data):
            head = data[at]
            kind, extended, sized = head >> 3 & 15, head >> 2 & 1, head >> 1 & 1
            at += 1 + extended
            size = len(data) - at
            if sized:
                size = shift = 0
                while True:
                    size |= (data[at] & 127) << shift
                    shift, at = shift + 7, at + 1
                    if not data[at - 1] & 128:
                        break
            if kind in (3, 6):  # frame header, frame: not a repeated one, a key frame, shown
                return KEY if data[at] >> 4 == 1 else PLAIN
            at += size
    except IndexError:
        pass
    return PLAIN


def mpeg12(data: bytes, key: bool) -> Facts:
    """ISO 13818-2, 6.3.9: an I picture (of two fields at most) is predicted from nothing, P only from I and P before.

    Whether B pictures that are shown before their I picture need the previous group is not asked: they count as if.
    """
    _begins_with_start_code(data)
    at = data.find(b"\0\0\1\0")
    if at < 0 or at + 5 >= len(data):
        return UNKNOWN
    kind = data[at + 5] >> 3 & 7
    if kind == 1:
        return Facts(1, Entry.SHOWN_LATER)
    return PLAIN


def _begins_with_start_code(data: bytes) -> None:
    if data.lstrip(b"\0")[:1] != b"\1" or not data.startswith(b"\0\0"):
        raise Damaged


_COULD_BE_EMPTY = 24  # bytes: a picture that is not coded has a header and nothing else


def mpeg4(data: bytes, key: bool) -> Facts:
    """ISO 14496-2, 6.2.5. Two pictures in one packet ("packed bitstream") and pictures that are not coded leave
    packets and pictures different in number: unknown.
    """
    _begins_with_start_code(data)
    at = data.find(b"\0\0\1\xb6")
    if at < 0 or at + 4 >= len(data) or len(data) - at < _COULD_BE_EMPTY or data.find(b"\0\0\1\xb6", at + 4) >= 0:
        return UNKNOWN
    return Facts(1, Entry.SHOWN_LATER) if data[at + 4] >> 6 == 0 else PLAIN
