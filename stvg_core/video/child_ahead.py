"""Opening the next file, and decoding what it will surely be asked for, beside the work on another."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Lock

import numpy as np

from stvg_core.children.child import Alive
from stvg_core.tube import Array, VideoInfo
from stvg_core.video.child_processes import DecodingProcesses
from stvg_core.video.child_reader import ChildReader
from stvg_core.video.pictures import Pictures
from stvg_core.video.reader import KEPT_BYTES
from stvg_core.video.timeline import file_version

AHEAD_BYTES = KEPT_BYTES // 3
"""Budget for the pictures of a file that nobody works on yet: half a GiB on top of that of the one in work."""

Needs = Callable[[VideoInfo], tuple[Array, Array]]
"""Which frames will be asked for first, and which soon after, if there is room for both."""


class OpensAhead:
    """Opens files in decoding processes; at most one of them before it is asked for.

    ``prepare`` may be called from another thread than ``open``.
    """

    def __init__(self, processes: DecodingProcesses, needs: Needs) -> None:
        self._processes, self._needs = processes, needs
        self._lock = Lock()
        self._ready: tuple[object, ChildReader] | None = None

    def open(self, video: str | Path) -> Pictures:
        """A reader of the file: the one that was prepared, else a new one; raises as :class:`ChildReader`."""
        reader = self._prepared(_key(video))
        if reader is None:
            return self._processes.open(video)
        reader.alive = None
        try:
            reader.keep(KEPT_BYTES)
        except BaseException:
            reader.close()
            raise
        return reader

    def prepare(self, video: Path, alive: Alive, needs: Needs | None = None) -> None:
        """Open it, and decode the frames that are needed (``needs``, where not as usual); what was prepared before is
        let go of.

        Raises VideoError where that cannot be done, and what ``alive`` raises; then nothing is prepared.
        """
        self.close()
        key = _key(video)
        reader = ChildReader(self._processes, video, kept_bytes=AHEAD_BYTES, alive=alive)
        try:
            first, later = (needs or self._needs)(reader.info)
            for frames in (np.concatenate([first, later]), first):
                if sum(1 for _ in reader.prepare(frames)):
                    break  # there is room for so many
        except BaseException:
            reader.close()
            raise
        with self._lock:
            self._ready = key, reader

    def close(self) -> None:
        """Let go of what was prepared."""
        with self._lock:
            ready, self._ready = self._ready, None
        if ready is not None:
            ready[1].close()

    def _prepared(self, key: object) -> ChildReader | None:
        with self._lock:
            if self._ready is None or self._ready[0] != key:
                return None
            (_, reader), self._ready = self._ready, None
            return reader


def _key(video: str | Path) -> object:
    """The file as it is now; no other where it is not there."""
    path = Path(video)
    version = file_version(path)
    return object() if version is None else (path.resolve(), version)
