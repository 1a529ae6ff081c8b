"""What is read from one packet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum


class Entry(IntEnum):
    """What is right when decoding begins with a packet.

    Every rule is about content, so it holds for any decoder: a picture is right where nothing that it is predicted
    from lies before the packet.
    """

    NONE = 0
    """Nothing is promised."""
    ALL = 1
    """Every picture that follows in decoding order (H.264 and HEVC IDR, VP8, VP9 and AV1 key frames, intra codecs)."""
    SHOWN_LATER = 2
    """Its own picture and those that are shown after it. Pictures that follow in decoding order but are shown before
    it ("leading") may be predicted from what lies before (open GOP: CRA, BLA, recovery point, I picture)."""
    REFRESHED = 3
    """What is shown from the ``refresh``-th following reference picture on (gradual intra refresh)."""


@dataclass(frozen=True)
class Facts:
    """One packet.

    Attributes:
        shown: how many pictures the decoder gives for it; None where the packet does not say.
        entry: what is right when decoding begins here.
        refresh: for ``Entry.REFRESHED``, how many reference pictures later.
        reference: whether other pictures may be predicted from it.
    """

    shown: int | None
    entry: Entry = Entry.NONE
    refresh: int = 0
    reference: bool = True


PacketReader = Callable[[bytes, bool], Facts]
"""Packet bytes and the container's key flag -> facts; keeps what it needs from one packet to the next."""

UNKNOWN = Facts(None)
PLAIN = Facts(1)
HIDDEN = Facts(0)
KEY = Facts(1, Entry.ALL)
