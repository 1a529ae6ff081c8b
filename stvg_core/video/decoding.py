"""A decoder at some place in a file, which knows for every picture which packet it comes from.

Each packet goes to the decoder with its own number in place of its timestamp, and the decoder hands that number on to
the picture. So a picture is never recognised by time, nor by counting from a place where a seek is hoped to have
landed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av.error

from stvg_core.video.beat import DECODED, beat
from stvg_core.video.container import Limits, open_container
from stvg_core.video.feeding import Feeding
from stvg_core.video.packets import NO_TIME, Packets, usable

_WORTH_THREADS = 500_000  # pixels: smaller pictures are decoded faster than threads agree on them


class Lost(Exception):
    """The file's packets are not those that were read before."""


class Decoder:
    """Decodes one file's pictures from any packet on. Use it from one thread, and close it.

    Args:
        packets: what :func:`read_packets` found in this file.
        steady: decode in one thread, so that an error costs the picture that it belongs to and no other.

    Attributes:
        start: the packet with which decoding began.
        fed: the number of the next packet for the decoder.
        errors: how many packets could not be decoded since ``start``.
    """

    def __init__(self, path: Path, limits: Limits, packets: Packets, *, steady: bool = False) -> None:
        self._path, self._limits, self._packets, self._steady = path, limits, packets, steady
        self._container: Any = None
        self._read = 0
        self.start = self.fed = self.errors = 0
        self._open()

    def close(self) -> None:
        if self._container is not None:
            self._container.close()
            self._container = None

    def go(self, packet: int) -> None:
        """Continue with this packet: seek near it, and pass over what lies before it undecoded.

        Raises:
            Lost: the file gives other packets than before.
        """
        for target in self._targets(packet):
            if target is None:
                if self._touched:
                    self._open()
            elif not self._seek(target):
                continue
            if self._find(packet):
                self.start = self.fed = packet
                return
        raise Lost(f"packet {packet} is not there any more")

    def pictures(self) -> Iterator[tuple[int | None, Any]]:
        """``(packet number, PyAV frame)`` from here to the end, in the order of display.

        A packet that cannot be decoded is passed over. The number is None where the decoder did not hand it on.
        """
        while True:
            while self._ready:
                yield self._ready.popleft()
            if self._ended:
                return
            self._feed()

    def _open(self) -> None:
        self.close()
        self._container, self._stream = open_container(self._path, self._limits)
        context = self._stream.codec_context
        if self._steady or context.width * context.height < _WORTH_THREADS:
            context.thread_type, context.thread_count = "NONE", 1
        self._restart()
        self._touched = False
        self.start = self.fed = 0

    def _restart(self) -> None:
        self._demuxed = self._container.demux(self._stream)
        self._held: Any = None
        self._ready: deque[tuple[int | None, Any]] = deque()
        self._ended = False
        self._feeding = Feeding(self._stream.codec_context)
        self.errors = 0

    def _targets(self, packet: int) -> Iterator[int | None]:
        """Timestamps to seek to, earlier and earlier, then the start of the file (None).

        Some demuxers look for the presentation time, others for the decoding time, and MPEG-TS by halving the file.
        """
        packets = self._packets
        if packet > 0:
            second = max(1, round(1 / float(self._stream.time_base))) if self._stream.time_base else 1
            times = [int(t) for t in (packets.pts[packet], packets.dts[packet]) if t != NO_TIME]
            if times:
                yield max(times)
                if min(times) < max(times):
                    yield min(times)
                for back in (1, 4, 16, 64):
                    yield min(times) - back * second
        yield None

    def _seek(self, target: int) -> bool:
        self._touched = True
        try:
            self._container.seek(target, stream=self._stream, backward=True)
        except (av.error.FFmpegError, ValueError, OverflowError):
            return False
        self._restart()
        return True

    def _find(self, packet: int) -> bool:
        """Read on up to a packet, which is then the next one; False where the seek has landed behind it."""
        packets = self._packets
        if packet == 0:
            return True
        dts = int(packets.dts[packet])
        sought = int(packets.size[packet]), int(packets.pts[packet]), int(packets.place[packet])
        while (found := self._next()) is not None:
            found_dts = NO_TIME if found.dts is None else found.dts
            found_place = -1 if found.pos is None else found.pos
            if (found.size, NO_TIME if found.pts is None else found.pts, found_place) == sought:
                self._held = found
                return True
            if dts != NO_TIME and found_dts > dts:
                return False
        return False

    def _next(self) -> Any:
        """The next packet; None at the end, or where the file cannot be read on."""
        if self._held is not None:
            held, self._held = self._held, None
            return held
        try:
            packet = next((packet for packet in self._demuxed if usable(packet)), None)
        except av.error.FFmpegError:
            return None
        if packet is not None:
            self._read += 1
            beat(self._read, DECODED)
        return packet

    def _feed(self) -> None:
        self._touched = True
        packet = self._next()
        try:
            if packet is None:
                self._ended = True
                pictures = self._stream.codec_context.decode(None)
            else:
                self._check(packet)
                packet.pts = self.fed
                self.fed += 1
                pictures = self._feeding.pictures(packet)
        except av.error.FFmpegError:
            self.errors += 1
            return
        self._ready.extend((frame.pts, frame) for frame in pictures)

    def _check(self, packet: Any) -> None:
        if self.fed >= len(self._packets) or self._packets.size[self.fed] != packet.size:
            raise Lost(f"packet {self.fed} has changed")
