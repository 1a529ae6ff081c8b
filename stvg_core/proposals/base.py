"""What a track proposer is: from a video to candidate objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from stvg_core.tube import Track, VideoInfo


class Proposer(Protocol):
    """Finds candidate objects. ``name`` belongs to the method settings: another proposer, another identity."""

    name: str

    def propose(self, info: VideoInfo, phrase: str | None = None) -> list[Track]:
        """Tracks, best first; ``phrase`` is the attribute phrase for proposers that can use one."""
        ...


class FixedTracks:
    """Hands back given tracks: oracle boxes in a benchmark, or boxes that a person drew."""

    name = "fixed"

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = list(tracks)

    def propose(self, info: VideoInfo, phrase: str | None = None) -> list[Track]:
        return list(self._tracks)
