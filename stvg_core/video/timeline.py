"""Which picture is frame i, and when is it shown?

Frame i is the i-th picture that a player shows. Where the packets say all that is needed for it, nothing is decoded but
both ends of the file:

- each packet is one picture, or is known to be none (edit lists cut it away; frames that only serve to predict others;
  leading pictures of a recording that begins with them): read from the packets themselves, see ``codecs``;
- every picture has its own presentation time, and decoding times never go back;
- the file is of one piece: not several edits of an edit list (at each seam a decoder may lose pictures).

Anything else is decoded once from the start, in order, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array
from stvg_core.video.access import Access, find_access
from stvg_core.video.boxes import mp4_is_cut, mp4_is_spliced
from stvg_core.video.compact import Compact
from stvg_core.video.container import Limits, open_container, undecodable
from stvg_core.video.decoding import Decoder, Lost
from stvg_core.video.order import each_its_own, in_order_of_time, inverse
from stvg_core.video.packets import NO_TIME, Packets, read_packets

_HEAD = 24  # pictures at the start of which the order is proved by decoding them
_CUT = "The end of the file is damaged or missing; only the readable part is used."
_DAMAGED = "The file has damaged packets: pictures may be missing or broken."


@dataclass(frozen=True)
class Timeline:
    """Display order of one file.

    Attributes:
        pts: ``(N,)``, strictly increasing, in ticks of ``tick_s`` seconds; row i belongs to frame i.
        tick_s: seconds per tick.
        ordinal: True where the file has no usable timestamps: ``pts`` then counts pictures as the decoder gives them.
        last_s: seconds the last picture is shown, 0 where unknown.
        warnings: sentences for a person.
        packets: the file's packets.
        packet_of: ``(N,)``, the packet of each frame; None where the decoder does not tell: then frames are found
            by counting from the start.
        frame_of: ``(P,)``, the frame of each packet, -1 for none.
        access: where decoding can begin.
    """

    pts: Compact
    tick_s: float
    ordinal: bool
    last_s: float
    warnings: tuple[str, ...]
    packets: Packets
    packet_of: Compact | None
    frame_of: Compact
    access: Access

    @property
    def seconds(self) -> Array:
        """``(N,)`` float64 seconds from the first frame's timestamp."""
        return self._from_first(np.asarray(self.pts))

    def seconds_of(self, frames: Array) -> Array:
        """``(T,)`` float64 seconds of ``(T,)`` frames from the first frame's timestamp."""
        return self._from_first(self.pts[frames])

    def blocks_of_seconds(self) -> Iterator[tuple[int, Array]]:
        """``(first frame, float64 seconds)`` of some frames at a time, until all were there."""
        for first, pts in self.pts.blocks():
            yield first, self._from_first(pts)

    def _from_first(self, pts: Array) -> Array:
        seconds: Array = (pts - self.pts[0]) * self.tick_s
        return seconds


def read_timeline(path: Path, limits: Limits) -> Timeline:
    """The timeline of a file, remembered until the file changes. Raises VideoError where there is no picture."""
    return _read_timeline(path, limits, file_version(path))


def file_version(path: Path) -> tuple[int, int] | None:
    """Tells whether a path still has the same content; None where there is no file."""
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return None
    return stat.st_mtime_ns, stat.st_size


@lru_cache(maxsize=8)
def _read_timeline(path: Path, limits: Limits, _version: tuple[int, int] | None) -> Timeline:
    container, stream = open_container(path, limits)
    with container:
        is_mp4, is_avi = "mp4" in container.format.name, container.format.name == "avi"
        expected, context = stream.frames, stream.codec_context
        tick_s = float(stream.time_base) if stream.time_base else 0.0
        rate = stream.average_rate or stream.base_rate
        # AVI stores no presentation times: what FFmpeg reports there is the decoding order.
        timed = tick_s > 0 and (not is_avi or context.codec.intra_only)
        packets = read_packets(container, stream, path, limits)
    if is_mp4 and is_cut(path, packets, expected):
        raise VideoError(f"{path.name} is cut off: its end is missing. Copy or download the whole file again.")
    if packets.kept == 0:
        raise VideoError(f"{path.name} has a video track without a picture. Use another file.")
    warnings = [] if packets.complete else [_CUT]
    if packets.damaged > (not packets.complete):
        warnings.append(_DAMAGED)
    pieced = packets.decoding_goes_back() or (is_mp4 and mp4_is_spliced(path))
    order = None
    if timed and packets.shown.count(-1) == 0 and not pieced:
        by_time = in_order_of_time(packets)
        order = None if by_time is None else _by_time(path, limits, packets, by_time, warnings)
    counted = -1
    if order is None:
        counted, order = _by_decoding(path, limits, packets)
    step_s = 0.0 if rate is None else float(1 / rate)
    return _timeline(packets, order, counted, tick_s, step_s, tuple(warnings), pieced=pieced)


def is_cut(path: Path, packets: Packets, expected: int) -> bool:
    """Is the end of an mp4 missing: by its boxes, or by the ``expected`` pictures that its index names (0: none)?"""
    return mp4_is_cut(path) or (packets.kept < expected and not packets.complete)


def _timeline(
    packets: Packets,
    order: Compact | None,
    counted: int,
    tick_s: float,
    step_s: float,
    warnings: tuple[str, ...],
    *,
    pieced: bool,
) -> Timeline:
    """``order``: the frames' packets, or None where only their number is known."""
    if order is None:
        access = Access(np.zeros(1, np.int64), np.zeros(1, np.int64))
        nowhere = inverse(Compact([]), len(packets))
        return Timeline(Compact.counting(counted), step_s, True, 0.0, warnings, packets, None, nowhere, access)
    frame_of = inverse(order, len(packets))
    pts = Compact.joined(packets.pts[some] for _, some in order.blocks())
    timed = tick_s > 0 and are_times(pts)
    access = find_access(packets, frame_of, pts if timed else None, pieced=pieced)
    if timed:
        return Timeline(
            pts, tick_s, False, packets.last_ticks * tick_s, warnings, packets, order, frame_of, access
        )  # fmt: skip
    return Timeline(Compact.counting(len(order)), step_s, True, 0.0, warnings, packets, order, frame_of, access)


def _by_time(path: Path, limits: Limits, packets: Packets, order: Compact, warnings: list[str]) -> Compact | None:
    """``(N,)`` the frames' packets; None where decoding the start shows that the times do not tell the order."""
    frame_of = inverse(order, len(packets))
    begins = 0
    for steady in (False, True):  # in one thread an error comes with its own picture
        with closing(Decoder(path, limits, packets, steady=steady)) as decoder:
            head, damaged = _head(decoder)
        if not head and not steady:
            continue  # threads give up the only whole picture with the damaged ones before it
        if not head:
            raise undecodable(path)
        if head[0] is None or not 0 <= head[0] < len(packets) or frame_of[head[0]] < 0:
            return None
        begins = frame_of[head[0]]
        if order[begins : begins + len(head)].tolist() == head:
            break
    else:
        # Where pictures are damaged, decoders lose the order too; the packets' times still tell it.
        if not damaged:
            return None
    pts = Compact.joined(packets.pts[some] for _, some in order.blocks())
    access = find_access(packets, frame_of, pts, pieced=False)
    with closing(Decoder(path, limits, packets)) as decoder:
        last = _last_decodable(decoder, access, frame_of)
    if last < len(order) - 1 and not warnings:
        warnings.append(_CUT)
    return order.part(begins, last + 1)


def are_times(pts: Compact) -> bool:
    """Do ``(N,)`` timestamps say when each picture is shown? Not where two have the same, or the first has none."""
    return pts[0] != NO_TIME and pts.rises()


def _head(decoder: Decoder) -> tuple[list[int | None], bool]:
    """The packets of the first pictures, and whether one after the first of them could not be decoded."""
    pictures = decoder.pictures()
    head = [number for number, _ in islice(pictures, 1)]
    late = decoder.errors  # what lies before the first key frame of a recording that was joined late
    head += [number for number, _ in islice(pictures, _HEAD - 1)]
    return head, decoder.errors > late


def _last_decodable(decoder: Decoder, access: Access, frame_of: Compact) -> int:
    """The last frame that the decoder really gives; the last group of pictures may be unreadable as a whole."""
    for packet in (*access.packet[::-1][:3], 0):
        try:
            decoder.go(int(packet))
            frames = [int(frame_of[number]) for number, _ in decoder.pictures() if number is not None]
        except Lost:
            continue
        if frames and max(frames) >= 0:
            return max(frames)
    return -1


def _by_decoding(path: Path, limits: Limits, packets: Packets) -> tuple[int, Compact | None]:
    """The number of pictures that in-order decoding gives, and their packets where each has its own."""
    with closing(Decoder(path, limits, packets)) as decoder:
        order = Compact.one_by_one(-1 if number is None else number for number, _ in decoder.pictures())
    if not len(order):
        raise undecodable(path)
    return len(order), order if each_its_own(order, len(packets)) else None
