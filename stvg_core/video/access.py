"""With which packet must decoding begin so that a frame comes out right?"""

from __future__ import annotations

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


def find_access(packets: Packets, frame_of: Array, pts: Array | None) -> Access:
    """All packets that prove to be places to begin with.

    Args:
        frame_of: ``(P,)`` int64: the frame whose picture is in each packet, -1 where none is shown.
        pts: ``(N,)`` int64, rising: the frames' timestamps in the packets' ticks; None where they tell nothing.
    """
    rows, clean = [0], [0]
    references = np.flatnonzero(packets.reference)
    for row in np.flatnonzero(packets.entry != Entry.NONE):
        kind, own = packets.entry[row], int(row)
        if kind == Entry.ALL:
            start: int | None = 0
        else:
            if kind == Entry.REFRESHED:
                at = int(np.searchsorted(references, row, side="right")) - 1 + int(packets.refresh[row])
                if at >= len(references):
                    continue
                own = int(references[at])
            start = _shown_from(own, packets, frame_of, pts)
        if own > 0 and row > 0 and start is not None:
            rows.append(int(row))
            clean.append(start)
    return Access(np.array(rows, np.int64), np.array(clean, np.int64))


def _shown_from(packet: int, packets: Packets, frame_of: Array, pts: Array | None) -> int | None:
    """The first frame that is shown with a packet or after it; None where that is not known."""
    if frame_of[packet] >= 0:
        return int(frame_of[packet])
    if pts is None or packets.pts[packet] == NO_TIME:
        return None
    return int(np.searchsorted(pts, packets.pts[packet]))  # an edit list cuts its own picture away
