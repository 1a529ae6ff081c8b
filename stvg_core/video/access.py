"""With which packet must decoding begin so that a frame comes out right?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.tube import Array
from stvg_core.video.codecs.facts import Entry
from stvg_core.video.compact import Compact, row_type
from stvg_core.video.packets import NO_TIME, Packets


@dataclass(frozen=True)
class Access:
    """Where decoding can begin; the first packet is always among them.

    Attributes:
        packet: ``(A,)``, rising: numbers of packets in decoding order.
        clean_from: ``(A,)``: frames before this one may come out wrong.
    """

    packet: Array
    clean_from: Array

    def before(self, packet: int, frame: int) -> int:
        """The last row from which ``frame``, whose picture is in ``packet``, comes out right."""
        row = int(np.searchsorted(self.packet, packet, side="right")) - 1
        while row > 0 and self.clean_from[row] > frame:
            row -= 1
        return max(row, 0)


def find_access(packets: Packets, frame_of: Compact, pts: Compact | None, *, pieced: bool) -> Access:
    """All packets that prove to be places to begin with.

    Gradual refresh counts only once the next one is through as well: where the first pictures lack what they are
    predicted from, decoders put something in its place, and may go on referring to it for as long as one refresh.

    In a file of several pieces, packets that follow each other need not belong together: a later edit begins with
    pictures from before it, which are decoded only. So a refresh cannot be followed there, and the times of packets
    that are not shown say nothing of the frames.

    Args:
        frame_of: ``(P,)``: the frame whose picture is in each packet, -1 where none is shown.
        pts: ``(N,)``, rising: the frames' timestamps in the packets' ticks; None where they tell nothing.
        pieced: the file may be of several pieces: edits, or recordings that were joined.
    """
    packet = _candidates(packets)
    kind = packets.entry[packet]
    if pieced:
        pts = None
        packet, kind = packet[kind != Entry.REFRESHED], kind[kind != Entry.REFRESHED]
    refreshed = np.flatnonzero(kind == Entry.REFRESHED)
    # The packet from which on everything is right; the same one unless the refresh is gradual.
    whole = packet.copy()
    if len(refreshed):
        whole[refreshed] = _refreshed_by(packets, packet[refreshed])
        there = whole >= 0
        packet, kind, whole = packet[there], kind[there], whole[there]
    clean = np.zeros(len(packet), np.int64)
    later = np.flatnonzero(kind == Entry.SHOWN_LATER)
    clean[later] = _shown_from(packet[later], packets, frame_of, pts)
    refreshed = np.flatnonzero(kind == Entry.REFRESHED)
    if len(refreshed):
        following = np.searchsorted(packet, whole[refreshed])
        through = following < len(packet)
        clean[refreshed] = -1
        clean[refreshed[through]] = _shown_from(whole[following[through]], packets, frame_of, pts)
    known = clean >= 0
    kind_of_row = row_type(len(packets))
    return Access(*(np.append(0, rows[known]).astype(kind_of_row) for rows in (packet, clean)))


def _candidates(packets: Packets) -> Array:
    """``(C,)`` packets that promise something and can be found again, but the first."""
    found = np.asarray(Compact.joined(at + np.flatnonzero(rows) for at, rows in packets.entry.blocks()))
    told = packets.told_apart()
    if told is not None:
        found = found[told[found]]
    return found[found > 0]


def _refreshed_by(packets: Packets, packet: Array) -> Array:
    """``(R,)`` where the gradual refresh of each packet is through, -1 for those that the file ends before."""
    references = np.asarray(packets.reference.where(1))
    if len(references) == 0:
        return np.full(len(packet), -1)
    at = np.searchsorted(references, packet, side="right") - 1 + packets.refresh[packet]
    return np.where(at < len(references), references[np.minimum(at, len(references) - 1)], -1)


def _shown_from(packet: Array, packets: Packets, frame_of: Compact, pts: Compact | None) -> Array:
    """``(K,)`` the first frame that is shown with each packet or after it; -1 where that is not known."""
    found = frame_of[packet]
    for row in np.flatnonzero(found < 0).tolist():  # an edit list cuts its own picture away
        time = packets.pts[int(packet[row])]
        if pts is not None and time != NO_TIME:
            found[row] = pts.find(time)
    return found
