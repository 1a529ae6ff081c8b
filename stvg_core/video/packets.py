"""All packets of a file's video track, in decoding order, without decoding any."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.beat import beat
from stvg_core.video.codecs import packet_reader
from stvg_core.video.codecs.facts import UNKNOWN, Entry
from stvg_core.video.compact import BLOCK, Compact, Growing
from stvg_core.video.container import Limits

NO_TIME = -(2**63)
"""Stands for a timestamp that is missing."""


@dataclass(frozen=True)
class Packets:
    """One row per packet, in decoding order.

    Attributes:
        pts, dts: ``(P,)`` ticks, ``NO_TIME`` where missing.
        place: ``(P,)`` byte position in the file, -1 where unknown.
        size: ``(P,)`` bytes.
        shown: ``(P,)`` pictures that a player shows for it (0 where an edit list cuts it away), -1 unknown.
        entry: ``(P,)`` :class:`Entry`.
        refresh: ``(P,)``, see :class:`Entry`.
        reference: ``(P,)`` 1 or 0.
        key: ``(P,)`` 1 or 0: whether the container lets players begin here.
        last_ticks: how long the picture with the last timestamp is shown, 0 where unknown.
        known: whether the codec's packets can be read.
        complete: False where the file ends in an error or in a damaged packet.
        damaged: packets that the container itself calls damaged.
    """

    pts: Compact
    dts: Compact
    place: Compact
    size: Compact
    shown: Compact
    entry: Compact
    refresh: Compact
    reference: Compact
    key: Compact
    last_ticks: int
    known: bool
    complete: bool
    damaged: int

    def __len__(self) -> int:
        return len(self.pts)

    @property
    def kept(self) -> int:
        """How many packets an edit list does not cut away, and hold a picture as far as is known."""
        return len(self) - self.shown.count(0)

    def told_apart(self) -> Array | None:
        """``(P,)`` bool: whether a packet can be recognised after a seek. Edit lists may give one twice.

        None where all can be.
        """
        if self.place.rises() and self.place[0] >= 0:
            return None
        place = np.asarray(self.place)
        _, row, count = np.unique(place, return_inverse=True, return_counts=True)
        told: Array = (count[row] == 1) & (place >= 0)
        doubtful = np.flatnonzero(~told)
        if len(doubtful):
            same = np.stack([self.pts[doubtful], place[doubtful], self.size[doubtful]], axis=1)
            _, row, count = np.unique(same, axis=0, return_inverse=True, return_counts=True)
            told[doubtful] = count[row.ravel()] == 1
        return told

    def decoding_goes_back(self) -> bool:
        """Whether a decoding time is below one before it: the recording was joined from several."""
        latest = NO_TIME
        for _, dts in self.dts.blocks():
            known = dts[dts != NO_TIME]
            if len(known):
                if known[0] < latest or (np.diff(known) < 0).any():
                    return True
                latest = int(known[-1])
        return False


def usable(packet: Any) -> bool:
    """Not one of the empty packets at the end, or in place of a picture that a recorder left out."""
    return bool(packet.size)


def read_packets(container: Any, stream: Any, path: Path, limits: Limits) -> Packets:
    """Read a file to its end.

    Raises:
        VideoError: more pictures or seconds than the limits allow.
    """
    reader = packet_reader(stream.codec_context)
    columns = [Growing() for _ in range(9)]
    pts, dts, place, size, shown, entry, refresh, reference, key = columns
    last, complete, damaged, pictures, read = (NO_TIME, 0), True, 0, 0, 0
    max_ticks = limits.max_seconds / float(stream.time_base) if stream.time_base else float("inf")
    first: int | None = None
    try:
        for packet in container.demux(stream):
            if not usable(packet):
                continue
            read += 1
            beat(read)
            if read % BLOCK == 0:
                for column in columns:
                    column.pack()
            facts = UNKNOWN if reader is None else reader(bytes(packet), packet.is_keyframe)
            cut = packet.is_discard
            pts.append(NO_TIME if packet.pts is None else packet.pts)
            dts.append(NO_TIME if packet.dts is None else packet.dts)
            place.append(-1 if packet.pos is None else packet.pos)
            size.append(packet.size)
            shown.append(0 if cut else -1 if facts.shown is None else facts.shown)
            entry.append(facts.entry if packet.is_keyframe else Entry.NONE)
            refresh.append(facts.refresh)
            reference.append(facts.reference)
            key.append(packet.is_keyframe)
            if cut:
                continue
            complete = not packet.is_corrupt
            damaged += packet.is_corrupt
            pictures += 1
            if packet.pts is not None:
                first = packet.pts if first is None else first
                if packet.pts > last[0]:
                    last = (packet.pts, packet.duration or 0)
                if packet.pts - first > max_ticks:
                    hours = limits.max_seconds / 3600
                    raise VideoError(f"{path.name} is too long: over {hours:g} hours. Cut it into parts.")
            if pictures > limits.max_frames:
                raise VideoError(f"{path.name} is too long: over {limits.max_frames:,} pictures. Cut it into parts.")
    except av.error.FFmpegError:
        complete = False
    return Packets(
        pts.done(), dts.done(), place.done(), size.done(), shown.done(), entry.done(), refresh.done(),
        reference.done(), key.done(), last[1], reader is not None, complete, damaged,
    )  # fmt: skip
