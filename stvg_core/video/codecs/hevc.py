"""HEVC packets: IDR, CRA, BLA, leading pictures (ITU-T H.265 7.4.2.2, 8.1.3)."""

from __future__ import annotations

from stvg_core.video.codecs.bitstream import length_size, units
from stvg_core.video.codecs.facts import HIDDEN, PLAIN, UNKNOWN, Entry, Facts

_RASL = (8, 9)
_BLA = (16, 17, 18)
_IDR = (19, 20)
_CRA = 21
_LAST_SLICE_KIND = 31
_END = (36, 37)  # end of sequence, end of bitstream


class Hevc:
    """Reads a stream's packets in decoding order.

    Leading pictures of the first CRA that refer to what lies before it (RASL) are never shown. A BLA or an end of
    sequence further on begins a new sequence, and what of the old one is still shown depends on the decoder: unknown,
    so that such files are counted by decoding.
    """

    def __init__(self, extradata: bytes) -> None:
        self._length = length_size(extradata, 21)
        self._begun = self._first_is_cra = self._ended = False

    def __call__(self, data: bytes, key: bool) -> Facts:
        facts: Facts | None = None
        ended = False
        for unit in units(data, self._length):
            kind, layer = unit[0] >> 1 & 63, (unit[0] & 1) << 5 | unit[-1 if len(unit) < 2 else 1] >> 3
            ended = ended or kind in _END
            if facts is None and kind <= _LAST_SLICE_KIND and layer == 0:
                facts = self._slice(kind)
        self._ended = ended
        return facts or HIDDEN

    def _slice(self, kind: int) -> Facts:
        first, self._begun = not self._begun, True
        if self._ended or (kind in _BLA and not first):
            return UNKNOWN
        if kind in _IDR:
            self._first_is_cra = False
            return Facts(1, Entry.ALL)
        if kind == _CRA or kind in _BLA:
            self._first_is_cra = first
            return Facts(1, Entry.SHOWN_LATER)
        if kind in _RASL and self._first_is_cra:
            return HIDDEN
        return PLAIN
