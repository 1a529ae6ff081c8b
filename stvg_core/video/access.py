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

    Gradual refresh counts only once the next one is through as well: where the first pictures lack what they are
    predicted from, decoders put something in its place, and may go on referring to it for as long as one refresh.

    Args:
        frame_of: ``(P,)`` int64: the frame whose picture is in each packet, -1 where none is shown.
        pts: ``(N,)`` int64, rising: the frames' timestamps in the packets' ticks; None where they tell nothing.
    """
    references = np.flatnonzero(packets.reference)
    rows: list[int] = []
    clean: list[int] = []
    whole: list[int] = []  # the packet with which a row's refresh is through
    gradual: list[bool] = []
    own_frame: list[int | None] = []
    for row in np.flatnonzero((packets.entry != Entry.NONE) & packets.told_apart()).tolist():
        kind, own = packets.entry[row], row
        if kind == Entry.REFRESHED:
            at = int(np.searchsorted(references, row, side="right")) - 1 + int(packets.refresh[row])
            if at >= len(references):
                continue
            own = int(references[at])
        start = _shown_from(own, packets, frame_of, pts)
        if row > 0 and (start is not None or kind == Entry.ALL):
            rows.append(row)
            own_frame.append(start)
            clean.append(0 if start is None or kind == Entry.ALL else start)
            whole.append(own)
            gradual.append(kind == Entry.REFRESHED)
    found = [(0, 0)]
    for number, row in enumerate(rows):
        if not gradual[number]:
            found.append((row, clean[number]))
            continue
        following = int(np.searchsorted(rows, whole[number]))
        if following < len(rows) and own_frame[following] is not None:
            found.append((row, own_frame[following]))
    table = np.array(found, np.int64)
    return Access(table[:, 0], table[:, 1])


def _shown_from(packet: int, packets: Packets, frame_of: Array, pts: Array | None) -> int | None:
    """The first frame that is shown with a packet or after it; None where that is not known."""
    if frame_of[packet] >= 0:
        return int(frame_of[packet])
    if pts is None or packets.pts[packet] == NO_TIME:
        return None
    return int(np.searchsorted(pts, packets.pts[packet]))  # an edit list cuts its own picture away
