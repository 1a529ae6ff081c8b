"""Which process decodes the next file? They are few, and used again."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from threading import Lock

from stvg_core.tube import VideoInfo
from stvg_core.video.child import READER, Alive, ChildLimits, DecodingChild
from stvg_core.video.child_reader import ChildReader
from stvg_core.video.container import Limits

_FILES_PER_CHILD = 200
"""A process is replaced after so many files, whatever they left in its memory."""


class DecodingProcesses:
    """Decoding processes for one program: started when they are needed, used again for the next file.

    Args:
        idle: how many wait for the next file at most.
        reader: see :class:`DecodingChild`.

    Attributes:
        alive: called while answers are waited for, and with each; it may raise, to stop the work.
    """

    def __init__(self, limits: ChildLimits, *, idle: int = 1, reader: str = READER) -> None:
        self._limits, self._at_most, self._reader = limits, idle, reader
        self._idle: list[DecodingChild] = []
        self._lock = Lock()
        self.alive: Alive | None = None

    def open(self, video: str | Path | VideoInfo) -> ChildReader:
        """A reader of one file; raises VideoError as :class:`stvg_core.video.VideoReader` does."""
        return ChildReader(self, video)

    def probe(self, path: str | Path, limits: Limits | None = None) -> VideoInfo:
        """What :func:`stvg_core.video.probe` says, asked of a process; raises VideoError likewise."""
        child = self.take()
        try:
            asked = {"do": "probe", "path": str(path), "limits": dataclasses.asdict(limits or Limits())}
            return child.described(child.last(asked, Path(path).name, self.alive))
        finally:
            self.give_back(child)

    def take(self) -> DecodingChild:
        """A process that waits, else a new one."""
        with self._lock:
            while self._idle:
                child = self._idle.pop()
                if child.running:
                    return child
                child.kill()
        return DecodingChild(self._limits, self._reader)

    def give_back(self, child: DecodingChild) -> None:
        """A process that is not needed any more, in whatever state it is."""
        child.served += 1
        with self._lock:
            if child.running and child.served < _FILES_PER_CHILD:
                self._idle.append(child)
            else:
                child.kill()
            surplus = self._idle[: -self._at_most] if self._at_most else self._idle[:]
            del self._idle[: len(surplus)]
        for other in surplus:
            other.kill()

    def close(self) -> None:
        """End the waiting processes."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for child in waiting:
            child.kill()
