"""A video that stays open: its frames by number, in any order, without decoding again what lies behind."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.tube import Array, Frames, VideoInfo
from stvg_core.video.container import Limits, check_size
from stvg_core.video.display import read_shown
from stvg_core.video.kept import KeptPictures
from stvg_core.video.probe import probe
from stvg_core.video.seeking import Seeking
from stvg_core.video.shaping import Shaper, shrunk_size
from stvg_core.video.timeline import Timeline, file_version, read_timeline

KEPT_BYTES = 3 << 29
"""Default budget for decoded pictures that may be asked for again, 1.5 GiB: about 500 pictures of 1920 x 1080."""
_BATCH = 8  # pictures that a stream looks ahead


class VideoReader:
    """Gives the pictures of one file by number.

    The file is opened once. Reading on from where the last read ended costs the pictures in between; reading back costs
    decoding from the nearest place where it can begin (see ``access``), unless the picture is still kept. Use a reader
    from one thread at a time, and close it, or use it as a context manager.

    Args:
        source: a local file, or what a probe said of one.
        limits: what is too much to decode.
        kept_bytes: budget for decoded pictures that may be asked for again; 0 keeps none. On top of it come the
            decoder's own pictures and what a read returns.

    Raises:
        VideoError: see :func:`stvg_core.video.probe`; or the file is not the one that was probed.
    """

    def __init__(
        self, source: str | Path | VideoInfo, *, limits: Limits | None = None, kept_bytes: int = KEPT_BYTES
    ) -> None:
        self._limits = limits or Limits()
        self._info = source if isinstance(source, VideoInfo) else probe(source, self._limits)
        self._path = Path(self._info.path)
        self._version = file_version(self._path)
        self._timeline: Timeline = read_timeline(self._path, self._limits)
        if len(self._timeline.pts) != self._info.n_frames:
            raise VideoError(
                f"{self._path.name} has changed since it was first looked at: it had {self._info.n_frames} pictures "
                f"then, now it has {len(self._timeline.pts)}. Start again with the new file."
            )
        self._shaper = Shaper(read_shown(self._path, self._limits), self._path.name)
        self._kept = KeptPictures(kept_bytes)
        self._seek = Seeking(self._path, self._limits, self._timeline, self._kept)

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file and of all kept pictures; a later read opens it again."""
        self._seek.close()
        self._kept.clear()

    @property
    def info(self) -> VideoInfo:
        """What the probe said, with a warning more where pictures turned out not to be decodable."""
        missing = self._seek.missing
        if not missing:
            return self._info
        first, count = min(missing), len(missing)
        which = f"Frame {first} is" if count == 1 else f"{count} frames from frame {first} on are"
        warning = f"{which} damaged and cannot be decoded; the picture before is used."
        return dataclasses.replace(self._info, warnings=(*self._info.warnings, warning))

    @property
    def seconds(self) -> Array:
        """``(n_frames,)`` float64: when each frame is shown, in seconds from the first."""
        if self._timeline.ordinal:
            return np.arange(self._info.n_frames) / self._info.fps
        return self._timeline.seconds

    def seconds_of(self, frames: Array) -> Array:
        """``(T,)`` rows of :attr:`seconds`."""
        return frames / self._info.fps if self._timeline.ordinal else self._timeline.seconds_of(frames)

    def expect(self, indices: Iterable[int]) -> None:
        """Say which frames will be asked for, in the order of use; each call replaces what was expected before.

        They are kept when they are decoded on the way to others. Where there is room for all of them, the next read
        decodes those before its own last frame as well, so that one way through the file serves several reads.
        """
        self._kept.expect(int(index) for index in indices)

    def keep(self, kept_bytes: int) -> None:
        """From now on another budget for decoded pictures that may be asked for again."""
        self._kept.budget = kept_bytes

    def prepare(self, indices: Array) -> Iterator[int]:
        """Decode frames that will be asked for later, and keep them; yields each. None where there is no room for all.

        They replace what was expected before.

        Raises: as :meth:`read`.
        """
        frames = np.unique(self.check(indices)).tolist()
        self.expect(frames)
        if not self._kept.fits_expected(self._seek.sample()):
            return
        for frame in frames:
            if self._kept.get(frame) is None:
                self._seek.picture(frame)
            yield frame

    def read(self, indices: Array, *, max_side: int | None = None) -> Frames:
        """Decode frames.

        Args:
            indices: ``(T,)`` integers in ``[0, info.n_frames)``, any order, repeats allowed.
            max_side: shrink pictures so that the longer side has at most this many pixels.

        Returns:
            Frames in the order asked for: ``(T, H, W, 3)`` uint8 RGB as displayed, with seconds from the first frame.

        Raises:
            IndexError: an index outside the video.
            VideoError: the file has changed since it was opened, or a picture cannot be decoded.
        """
        wanted = self.check(indices)
        size = shrunk_size(self._info.width, self._info.height, max_side)
        if len(wanted) == 1:  # nothing to put together: a copy would cost nearly as much as the conversion
            (picture,) = self._decoded(wanted.tolist())
            pixels = self._shaper.picture(picture, size, own=True)[np.newaxis]
        else:
            pixels = self._together(wanted, size)
        return Frames(pixels=pixels, indices=wanted, seconds=self.seconds_of(wanted))

    def _together(self, wanted: Array, size: tuple[int, int]) -> Array:
        pixels = np.empty((len(wanted), size[1], size[0], 3), dtype=np.uint8)
        order = np.argsort(wanted, kind="stable")
        unique, first = np.unique(wanted[order], return_index=True)
        for picture, rows in zip(self._decoded(unique.tolist()), np.split(order, first[1:]), strict=True):
            shown = self._shaper.picture(picture, size)
            for row in rows:
                pixels[row] = shown
        return pixels

    def stream(self, indices: Array | None = None, *, max_side: int | None = None) -> Iterator[tuple[int, Array]]:
        """``(index, (H, W, 3) uint8 RGB)`` of the frames in the order given, all with None; few at a time in memory.

        Rising and falling orders both decode each picture once, as far as the budget reaches back.

        Raises: as :meth:`read`.
        """
        wanted = self.check(np.arange(self._info.n_frames) if indices is None else indices)
        size = shrunk_size(self._info.width, self._info.height, max_side)
        for first in range(0, len(wanted), _BATCH):
            some = wanted[first : first + _BATCH]
            if (np.diff(some) > 0).all():  # nothing need be held
                for index, picture in zip(some, self._decoded(some.tolist()), strict=True):
                    yield int(index), self._shaper.picture(picture, size, own=True)
            else:
                yield from zip(some.tolist(), self.read(some, max_side=max_side).pixels, strict=True)

    def check(self, indices: Array) -> Array:
        """Indices as ``(T,)`` int64; raises ValueError where they are no list, IndexError outside of the video."""
        wanted = np.asarray(indices, dtype=np.int64)
        if wanted.ndim != 1 or len(wanted) == 0:
            raise ValueError(f"frames are asked for by a (T,) list of at least one index, got shape {wanted.shape}")
        if wanted.min() < 0 or wanted.max() >= self._info.n_frames:
            raise IndexError(f"frames 0 to {self._info.n_frames - 1} exist, asked for {wanted.min()} to {wanted.max()}")
        return wanted

    def _changed(self) -> str:
        return f"{self._path.name} has changed while it was being used. Start again with the new file."

    def _decoded(self, frames: list[int]) -> Iterator[Any]:
        """The PyAV picture of each of the rising frames; of one that is damaged, the picture before it."""
        if file_version(self._path) != self._version:
            self.close()
            raise VideoError(self._changed())
        wanted = set(frames)
        for frame in sorted(wanted.union(self._on_the_way(frames))):
            picture = self._kept.get(frame)
            if picture is None:
                picture = self._seek.picture(frame)
            if frame in wanted:
                self._kept.take(frame)
                check_size(self._path, picture.width, picture.height, self._limits)
                yield picture

    def _on_the_way(self, frames: list[int]) -> Iterator[int]:
        """Expected frames before the last of these that there is room for."""
        expected = self._kept.expected
        if expected and self._kept.fits_expected(self._seek.sample()):
            yield from (frame for frame in expected if frame < frames[-1])
