"""What a track proposer is: from a video to candidate objects."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.proposals.following import SOURCE, DrawnBox, pinned
from stvg_core.tube import Array, Track, VideoInfo
from stvg_core.video import Pictures


class Proposer(Protocol):
    """Finds candidate objects in an open video, which stays the caller's to close.

    Attributes:
        name: which one it is, for the record.
        weight: how far its own confidence is trusted in the choice of the track
            (``GroundingSettings.proposer_weight`` where the settings leave it open).
        uses_phrase: whether the phrase changes what is found; if not, one search serves all queries on a video.
    """

    name: str
    weight: float
    uses_phrase: bool

    def load(self) -> None:
        """Have ready what the first video needs, so that what is wrong with it is said before.

        Raises:
            ModelError: a checkpoint cannot be loaded.
        """
        ...

    def looks_at(self, info: VideoInfo) -> Array:
        """``(T,)`` int64: the frames that :meth:`propose` will read, so that one way through the file can serve it and
        others; empty where it reads none.
        """
        ...

    def words(self, phrase: str | None) -> Sequence[str]:
        """What is searched for, in this order until something is found; phrases with the same words share a search."""
        ...

    def search(self, video: Pictures, words: str) -> list[Track]:
        """Tracks of what one entry of :meth:`words` names, best first."""
        ...

    def propose(self, video: Pictures, phrase: str | None = None) -> list[Track]:
        """Tracks, best first; ``phrase`` is the attribute phrase for proposers that can use one."""
        ...

    def densify(self, video: Pictures, track: Track, start: int, end: int) -> Track:
        """The chosen track once more, as exact as the proposer can be between two frames, both included.

        Proposals are made on sparse frames so that they stay cheap; only the one that was chosen is worth a second,
        dense pass around its interval. Proposers without such a pass hand the track back.
        """
        ...

    def follow(self, video: Pictures, drawn: DrawnBox) -> Track:
        """The object in a box that a person drew on one frame, followed both ways; the drawn box is in it exactly.

        Raises:
            QueryError: the video has no such frame.
        """
        ...


class Searching(ABC):
    """What proposers share: one after the other of the words is searched for."""

    def words(self, phrase: str | None) -> Sequence[str]:
        """One search serves all phrases."""
        return ("",)

    @abstractmethod
    def search(self, video: Pictures, words: str) -> list[Track]: ...

    def propose(self, video: Pictures, phrase: str | None = None) -> list[Track]:
        """The tracks of the first words that name something in the video; empty where none does."""
        searches = (self.search(video, words) for words in self.words(phrase))
        return next((tracks for tracks in searches if tracks), [])


class FixedTracks(Searching):
    """Hands back given tracks: oracle boxes in a benchmark, or boxes that a person drew."""

    name = "fixed"
    weight = 1.0
    uses_phrase = False

    def __init__(self, tracks: Sequence[Track]) -> None:
        self._tracks = list(tracks)

    def load(self) -> None:
        """There is nothing to load."""

    def looks_at(self, info: VideoInfo) -> Array:
        return np.zeros(0, np.int64)

    def search(self, video: Pictures, words: str) -> list[Track]:
        return list(self._tracks)

    def densify(self, video: Pictures, track: Track, start: int, end: int) -> Track:
        return track

    def follow(self, video: Pictures, drawn: DrawnBox) -> Track:
        """The given track that is nearest to the drawn box on its frame, else the box on that frame alone."""
        drawn.check(video.info)
        here = [track.at(np.array([drawn.frame])) for track in self._tracks]
        overlaps = [float(box_iou(box, drawn.box)[0]) for box in here]
        if not overlaps or max(overlaps) <= 0:
            return Track(np.array([drawn.frame]), drawn.box[None], source=SOURCE)
        return pinned(self._tracks[int(np.argmax(overlaps))], drawn)
