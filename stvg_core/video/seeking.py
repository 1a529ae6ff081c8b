"""Finding one frame's picture: read on, or begin again where decoding can begin, and prove that it came out."""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

from stvg_core.errors import VideoError
from stvg_core.video.container import Limits
from stvg_core.video.decoding import Decoder, Lost
from stvg_core.video.kept import KeptPictures
from stvg_core.video.timeline import Timeline

_OUT_OF_ORDER = 16  # pictures: H.264 and HEVC let no picture wait for more
_WORTH_A_SEEK = 4  # packets: fewer are decoded faster than a decoder is emptied and filled again


class Seeking:
    """One file's decoder and where it stands.

    Attributes:
        missing: frames that cannot be decoded; a player goes on showing the picture before.
    """

    def __init__(self, path: Path, limits: Limits, timeline: Timeline, kept: KeptPictures) -> None:
        self._path, self._limits, self._timeline, self._kept = path, limits, timeline, kept
        self._decoder: Decoder | None = None
        self._pictures: Iterator[tuple[int, Any]] = iter(())
        self._recent: dict[int, Any] = {}  # the last two pictures, whatever is kept
        self._last = self._clean_from = -1
        self._steady = self._from_the_start = False
        self.missing: set[int] = set()

    def close(self) -> None:
        """Let go of the file."""
        if self._decoder is not None:
            self._decoder.close()
        self._decoder, self._pictures = None, iter(())
        self._recent.clear()
        self._last = -1

    def sample(self) -> Any:
        """Any picture of the file, the one that costs least."""
        return next(iter(self._recent.values())) if self._recent else self.picture(0)

    def picture(self, frame: int) -> Any:
        """The PyAV picture that a player shows as this frame.

        Raises:
            VideoError: neither it nor one before it can be decoded; or the file has changed.
        """
        for at in range(frame, -1, -1):
            if at not in self.missing:
                found = self._recent.get(at) or (self._kept.get(at) if at < frame else None) or self._find(at)
                if found is not None:
                    return found
        raise VideoError(
            f"No picture of {self._path.name} up to frame {frame} can be decoded. Convert it to H.264 mp4."
        )

    def _find(self, frame: int) -> Any:
        """The picture, or None where it is damaged; then the frame is among the missing ones."""
        try:
            return self._tried(frame, 0 if self._from_the_start else self._row(frame))
        except Lost as error:
            self.close()
            if self._from_the_start:
                raise VideoError(
                    f"{self._path.name} has changed while it was being used. Start again with the new file."
                ) from error
        except BaseException:
            self.close()
            raise
        self._from_the_start = True  # this file gives other packets after a seek
        return self._find(frame)

    def _tried(self, frame: int, row: int) -> Any:
        packets = self._timeline.access.packet
        decoder = self._decoder
        if decoder is None or not self._is_on_the_way(decoder, int(packets[row]), frame):
            decoder = self._begin(row)
        found, gap = self._read_to(frame)
        if found is None and decoder.errors and not self._steady:
            self._steady = True  # in several threads one damaged picture may cost its neighbours
            self.close()
            decoder = self._begin(row)
            found, gap = self._read_to(frame)
        if found is None and row > 0 and decoder.start > packets[row - 1]:
            self._begin(row - 1)  # is it the picture, or the place where decoding began?
            found, gap = self._read_to(frame)
        if found is None:
            self.missing.update(gap)
        return found

    def _row(self, frame: int) -> int:
        packet_of = self._timeline.packet_of
        return 0 if packet_of is None else self._timeline.access.before(int(packet_of[frame]), frame)

    def _is_on_the_way(self, decoder: Decoder, packet: int, frame: int) -> bool:
        return self._last < frame and self._clean_from <= frame and packet <= decoder.fed + _WORTH_A_SEEK

    def _begin(self, row: int) -> Decoder:
        if self._decoder is None:
            self._decoder = Decoder(self._path, self._limits, self._timeline.packets, steady=self._steady)
        access = self._timeline.access
        self._recent.clear()
        self._last, self._clean_from = -1, int(access.clean_from[row])
        self._decoder.go(int(access.packet[row]))
        self._pictures = self._numbered(self._decoder)
        if self._steady:
            self._pictures = _sorted(self._pictures)
        return self._decoder

    def _numbered(self, decoder: Decoder) -> Iterator[tuple[int, Any]]:
        """``(frame, picture)``; pictures that are not shown, or not proved to be right, are left out."""
        for count, (number, picture) in enumerate(decoder.pictures()):
            if self._timeline.packet_of is None:
                yield count, picture
            elif number is not None and 0 <= number < len(self._timeline.frame_of):
                frame = int(self._timeline.frame_of[number])
                if frame >= max(self._clean_from, 0):
                    yield frame, picture

    def _read_to(self, frame: int) -> tuple[Any, range]:
        """The picture, or None and the frames that did not come, this one among them."""
        for number, picture in self._pictures:
            before = self._last
            if number <= before:
                continue
            self._recent = {k: v for k, v in self._recent.items() if k == before}
            self._recent[number] = picture
            self._last = number
            self._kept.put(number, picture)
            if number == frame:
                return picture, range(0)
            if number > frame:
                return None, range(before + 1 if before >= 0 else frame, number)
        first = self._last + 1 if 0 <= self._last < frame else frame
        return None, range(first, len(self._timeline.pts))


def _sorted(pictures: Iterator[tuple[int, Any]]) -> Iterator[tuple[int, Any]]:
    """In rising order: after a damaged key picture decoders give some too early."""
    waiting: list[tuple[int, int, Any]] = []
    for count, (number, picture) in enumerate(pictures):
        heappush(waiting, (number, count, picture))
        if len(waiting) > _OUT_OF_ORDER:
            first, _, held = heappop(waiting)
            yield first, held
    while waiting:
        first, _, held = heappop(waiting)
        yield first, held
