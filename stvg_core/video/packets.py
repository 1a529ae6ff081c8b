"""All packets of a file's video track, in decoding order, without decoding any."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av.error
import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.codecs import packet_reader
from stvg_core.video.codecs.facts import UNKNOWN, Entry
from stvg_core.video.container import Limits

NO_TIME = -(2**63)
"""Stands for a timestamp that is missing."""


@dataclass(frozen=True)
class Packets:
    """One row per packet, in decoding order.

    Attributes:
        pts, dts: ``(P,)`` int64 ticks, ``NO_TIME`` where missing.
        place: ``(P,)`` int64 byte position in the file, -1 where unknown.
        size: ``(P,)`` int64 bytes.
        shown: ``(P,)`` int8 pictures that a player shows for it (0 where an edit list cuts it away), -1 unknown.
        entry: ``(P,)`` int8 :class:`Entry`.
        refresh: ``(P,)`` int32, see :class:`Entry`.
        reference: ``(P,)`` bool.
        key: ``(P,)`` bool: whether the container lets players begin here.
        last_ticks: how long the picture with the last timestamp is shown, 0 where unknown.
        known: whether the codec's packets can be read.
        complete: False where the file ends in an error or in a damaged packet.
        damaged: packets that the container itself calls damaged.
    """

    pts: Array
    dts: Array
    place: Array
    size: Array
    shown: Array
    entry: Array
    refresh: Array
    reference: Array
    key: Array
    last_ticks: int
    known: bool
    complete: bool
    damaged: int

    def __len__(self) -> int:
        return len(self.pts)

    def told_apart(self) -> Array:
        """``(P,)`` bool: whether a packet can be recognised after a seek. Edit lists may give one twice."""
        _, row, count = np.unique(self.place, return_inverse=True, return_counts=True)
        told: Array = (count[row] == 1) & (self.place >= 0)
        doubtful = np.flatnonzero(~told)
        if len(doubtful):
            same = np.stack([self.pts, self.place, self.size], axis=1)[doubtful]
            _, row, count = np.unique(same, axis=0, return_inverse=True, return_counts=True)
            told[doubtful] = count[row.ravel()] == 1
        return told

    @property
    def in_time_order(self) -> bool:
        """Whether timestamps alone tell the order of display: all there, each once, none going back to zero.

        Decoding times that go back are those of a recording that was joined from several.
        """
        wanted = self.shown != 0
        pts, dts = self.pts[wanted], self.dts[self.dts != NO_TIME]
        if len(pts) == 0 or (pts == NO_TIME).any() or len(np.unique(pts)) < len(pts):
            return False
        return bool((np.diff(dts) >= 0).all())


def usable(packet: Any) -> bool:
    """Not one of the empty packets at the end, or in place of a picture that a recorder left out."""
    return bool(packet.size)


def read_packets(container: Any, stream: Any, path: Path, limits: Limits) -> Packets:
    """Read a file to its end.

    Raises:
        VideoError: more pictures or seconds than the limits allow.
    """
    reader = packet_reader(stream.codec_context)
    pts, dts, place, size = array("q"), array("q"), array("q"), array("q")
    shown, entry, refresh, reference, key = array("b"), array("b"), array("l"), array("b"), array("b")
    last, complete, damaged, pictures = (NO_TIME, 0), True, 0, 0
    max_ticks = limits.max_seconds / float(stream.time_base) if stream.time_base else float("inf")
    first: int | None = None
    try:
        for packet in container.demux(stream):
            if not usable(packet):
                continue
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
        np.array(pts, np.int64), np.array(dts, np.int64), np.array(place, np.int64), np.array(size, np.int64),
        np.array(shown, np.int8), np.array(entry, np.int8), np.array(refresh, np.int32),
        np.array(reference, np.bool_), np.array(key, np.bool_), last[1], reader is not None, complete, damaged,
    )  # fmt: skip
