"""Which process decodes the next file?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from stvg_core.children.child import Alive, ChildLimits
from stvg_core.children.pool import Pool
from stvg_core.tube import VideoInfo
from stvg_core.video.child import READER, DecodingChild
from stvg_core.video.child_reader import ChildReader
from stvg_core.video.container import Limits


class DecodingProcesses(Pool[DecodingChild]):
    """Decoding processes for one program.

    Args:
        idle: how many wait for the next file at most.
        reader: see :class:`DecodingChild`.

    Attributes:
        alive: called while answers are waited for, and with each; it may raise, to stop the work.
    """

    def __init__(self, limits: ChildLimits, *, idle: int = 1, reader: str = READER) -> None:
        super().__init__(lambda: DecodingChild(limits, reader), idle=idle)
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
