"""With which packet must decoding begin so that a frame comes out right?"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stvg_core.tube import Array
from stvg_core.video.codecs.facts import Entry
from stvg_core.video.packets import NO_TIME, Packets


@dataclass(frozen=True)
class Access:
    """Where decoding can begin; the first packet is always among them.

    Attributes:
        packet: ``(A,)`` int64, rising: numbers of packets in decoding order.
        clean_from: ``(A,)`` int64: frames before this one may come out wrong.
    """

    packet: Array
    clean_from: Array

    def before(self, packet: int, frame: int) -> int:
        """The last row from which ``frame``, whose picture is in ``packet``, comes out right."""
        row = int(np.searchsorted(self.packet, packet, side="right")) - 1
        while row > 0 and self.clean_from[row] > frame:
            row -= 1
        return max(row, 0)


@dataclass(frozen=True)
class _Place:
    """A packet that decoding may begin with.

    Attributes:
        whole: the packet from which on everything is right; the same one unless the refresh is gradual.
        frame: the first frame shown with ``whole`` or after it; None where that is not known.
    """

    packet: int
    kind: Entry
    whole: int
    frame: int | None


def find_access(packets: Packets, frame_of: Array, pts: Array | None) -> Access:
    """All packets that prove to be places to begin with.

    Gradual refresh counts only once the next one is through as well: where the first pictures lack what they are
    predicted from, decoders put something in its place, and may go on referring to it for as long as one refresh.

    Args:
        frame_of: ``(P,)`` int64: the frame whose picture is in each packet, -1 where none is shown.
        pts: ``(N,)`` int64, rising: the frames' timestamps in the packets' ticks; None where they tell nothing.
    """
    places = list(_places(packets, frame_of, pts))
    numbers = [place.packet for place in places]
    found = [(0, 0)]
    for place in places:
        clean: int | None = 0
        if place.kind == Entry.SHOWN_LATER:
            clean = place.frame
        elif place.kind == Entry.REFRESHED:
            following = bisect_left(numbers, place.whole)
            clean = places[following].frame if following < len(places) else None
        if clean is not None:
            found.append((place.packet, clean))
    table = np.array(found, np.int64)
    return Access(table[:, 0], table[:, 1])


def _places(packets: Packets, frame_of: Array, pts: Array | None) -> Iterator[_Place]:
    references = np.flatnonzero(packets.reference)
    for packet in np.flatnonzero((packets.entry != Entry.NONE) & packets.told_apart()).tolist():
        kind, whole = Entry(int(packets.entry[packet])), packet
        if kind == Entry.REFRESHED:
            at = int(np.searchsorted(references, packet, side="right")) - 1 + int(packets.refresh[packet])
            if at >= len(references):
                continue
            whole = int(references[at])
        if packet > 0:
            yield _Place(packet, kind, whole, _shown_from(whole, packets, frame_of, pts))


def _shown_from(packet: int, packets: Packets, frame_of: Array, pts: Array | None) -> int | None:
    """The first frame that is shown with a packet or after it; None where that is not known."""
    if frame_of[packet] >= 0:
        return int(frame_of[packet])
    if pts is None or packets.pts[packet] == NO_TIME:
        return None
    return int(np.searchsorted(pts, packets.pts[packet]))  # an edit list cuts its own picture away
