"""H.264 packets: IDR, recovery point, or neither; frame or field (ITU-T H.264 7.3, 7.4, D.2.8)."""

from __future__ import annotations

from dataclasses import replace

from stvg_core.video.codecs.bitstream import Bits, length_size, payload, units
from stvg_core.video.codecs.facts import HIDDEN, UNKNOWN, Entry, Facts

_SLICE, _PARTITION_A, _IDR, _SEI, _SPS = 1, 2, 5, 6, 7
_RECOVERY_POINT = 6
_PROFILES_WITH_CHROMA = {44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 144, 244}


class H264:
    """Reads a stream's packets in decoding order.

    A packet's first slice says what the packet is; a field of its own (interlaced broadcasts) is half a picture, so
    that packets are not pictures: unknown. Unknown too as long as no sequence parameter set was seen.
    """

    def __init__(self, extradata: bytes) -> None:
        self._length = length_size(extradata, 4)
        self._frames_only: bool | None = None
        self._number_bits = 0
        for unit in self._parameter_sets(extradata):
            self._note(unit)

    def __call__(self, data: bytes, key: bool) -> Facts:
        recovery: Facts | None = None
        for unit in units(data, self._length):
            kind = unit[0] & 31
            if kind == _SPS:
                self._note(unit)
            elif kind == _SEI:
                recovery = _recovery(unit) or recovery
            elif kind in (_SLICE, _PARTITION_A, _IDR):
                if self._frames_only is None or (not self._frames_only and self._is_field(unit)):
                    return UNKNOWN
                reference = unit[0] & 0x60 != 0
                if kind == _IDR:
                    return Facts(1, Entry.ALL)
                return Facts(1, reference=reference) if recovery is None else replace(recovery, reference=reference)
        return HIDDEN

    def _parameter_sets(self, extradata: bytes) -> list[bytes]:
        if not self._length:
            return list(units(extradata, 0)) if b"\0\0\1" in extradata else []
        found, at = [], 6
        for _ in range(extradata[5] & 31 if len(extradata) > 5 else 0):
            length = int.from_bytes(extradata[at : at + 2], "big")
            found.append(extradata[at + 2 : at + 2 + length])
            at += 2 + length
        return found

    def _note(self, unit: bytes) -> None:
        if not unit or unit[0] & 31 != _SPS:
            return
        try:
            self._frames_only, self._number_bits = _sequence(payload(unit))
        except IndexError:
            self._frames_only = None

    def _is_field(self, unit: bytes) -> bool:
        try:
            bits = Bits(payload(unit, 64)[1:])
            for _ in range(3):  # first macroblock, slice type, picture parameter set
                bits.unsigned()
            bits.take(self._number_bits)
            return bool(bits.take(1))
        except IndexError:
            return True


def _recovery(unit: bytes) -> Facts | None:
    """The recovery point that an SEI unit announces.

    ``exact_match_flag`` is not asked for at a distance of 0: there the picture is the right one, at most coded a little
    differently. With gradual refresh it is.
    """
    data = payload(unit)
    at = 1
    try:
        while at + 2 <= len(data) and data[at] != 0x80:
            kind = size = 0
            while data[at] == 255:
                kind, at = kind + 255, at + 1
            kind, at = kind + data[at], at + 1
            while data[at] == 255:
                size, at = size + 255, at + 1
            size, at = size + data[at], at + 1
            if kind == _RECOVERY_POINT:
                bits = Bits(data[at : at + size])
                frames, exact = bits.unsigned(), bits.take(1)
                if frames == 0:
                    return Facts(1, Entry.SHOWN_LATER)
                return Facts(1, Entry.REFRESHED, frames) if exact else None
            at += size
    except IndexError:
        pass
    return None


def _sequence(data: bytes) -> tuple[bool, int]:
    """Whether every picture is a frame, and the bits of ``frame_num``, from a sequence parameter set."""
    bits = Bits(data[1:])
    profile = bits.take(8)
    bits.take(16)
    bits.unsigned()
    chroma = 1
    if profile in _PROFILES_WITH_CHROMA:
        chroma = bits.unsigned()
        if chroma == 3 and bits.take(1):
            raise IndexError("separate colour planes")  # another slice header; nothing here reads such files
        bits.unsigned()
        bits.unsigned()
        bits.take(1)
        if bits.take(1):
            for number in range(8 if chroma != 3 else 12):
                if bits.take(1):
                    _skip_scaling(bits, 16 if number < 6 else 64)
    number_bits = bits.unsigned() + 4
    order = bits.unsigned()
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.take(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    bits.unsigned()
    bits.take(1)
    bits.unsigned()
    bits.unsigned()
    return bool(bits.take(1)), number_bits


def _skip_scaling(bits: Bits, count: int) -> None:
    last = following = 8
    for _ in range(count):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last
