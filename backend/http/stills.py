"""Single pictures of videos for the pages, from a few decoders that stay open.

Turning over the pages of a video asks for many pictures of it: each decoder keeps the file of its last picture open.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

import numpy as np

from stvg_core.errors import StvgError, VideoError
from stvg_core.tube import Array, VideoInfo

if TYPE_CHECKING:
    from stvg_core.video.child_processes import DecodingProcesses
    from stvg_core.video.child_reader import ChildReader

AT_MOST = 2
"""Decoders of one web process."""
_KEPT_BYTES = 64 << 20
_Key = tuple[str, int, int]


class StillsBusy(StvgError):
    """All decoders are at work."""

    def __init__(self) -> None:
        super().__init__("Other pictures are being decoded at present. Ask for this one again in a moment.")


class Stills:
    """Gives pictures; safe to use from several threads.

    Args:
        open_decoding: called with the first picture, as answering Label Studio needs no decoder. Where it gives None,
            this process decodes, and opens the file for each picture.
        patience_s: how long a request waits for its turn.
    """

    def __init__(
        self, open_decoding: Callable[[], DecodingProcesses | None], *, at_most: int = AT_MOST, patience_s: float = 10.0
    ) -> None:
        self._open_decoding, self._at_most, self._patience_s = open_decoding, at_most, patience_s
        self._turns = BoundedSemaphore(at_most)
        self._resting: OrderedDict[_Key, ChildReader] = OrderedDict()
        self._lock = Lock()

    def picture(self, info: VideoInfo, number: int, side: int) -> Array:
        """``(H, W, 3)`` uint8 RGB of a frame, its longer side at most ``side``.

        Raises:
            StillsBusy: too many are asked for at once.
            VideoError: it cannot be decoded, or the decoder hung and was ended.
        """
        if not self._turns.acquire(timeout=self._patience_s):
            raise StillsBusy
        try:
            decoding = self._decoding
            if decoding is None:
                from stvg_core.video import read_frames

                return np.asarray(read_frames(info, np.array([number]), max_side=side).pixels[0])
            return self._from_child(decoding, info, number, side)
        finally:
            self._turns.release()

    @cached_property
    def _decoding(self) -> DecodingProcesses | None:
        return self._open_decoding()

    def close(self) -> None:
        """Close the resting decoders."""
        with self._lock:
            resting, self._resting = list(self._resting.values()), OrderedDict()
        for reader in resting:
            reader.close()

    def _from_child(self, decoding: DecodingProcesses, info: VideoInfo, number: int, side: int) -> Array:
        key = _key(info)
        reader = self._take(key)
        if reader is None:
            reader = _open(decoding, info)
        try:
            picture: Array = reader.read(np.array([number]), max_side=side).pixels[0]
        except BaseException:
            reader.close()
            raise
        self._rest(key, reader)
        return picture

    def _take(self, key: _Key) -> ChildReader | None:
        """The decoder that has the file open. Where there is none, the longest unused one makes room."""
        with self._lock:
            found = self._resting.pop(key, None)
            oldest = None
            if found is None and len(self._resting) >= self._at_most:
                oldest = self._resting.popitem(last=False)[1]
        if oldest is not None:
            oldest.close()
        return found

    def _rest(self, key: _Key, reader: ChildReader) -> None:
        with self._lock:
            twin = self._resting.pop(key, None)
            self._resting[key] = reader
            surplus = self._resting.popitem(last=False)[1] if len(self._resting) > self._at_most else None
        for other in (twin, surplus):
            if other is not None:
                other.close()


def _open(decoding: DecodingProcesses, info: VideoInfo) -> ChildReader:
    from stvg_core.video.child_reader import ChildReader

    return ChildReader(decoding, info, kept_bytes=_KEPT_BYTES)


def _key(info: VideoInfo) -> _Key:
    try:
        status = Path(info.path).stat()
    except OSError:
        raise VideoError(f"{Path(info.path).name} is not there any more. Open the page again.") from None
    return info.path, status.st_mtime_ns, status.st_size
