"""What a locator is: from candidate tracks and a sentence to a track and its interval, with the evidence for both.

The pipeline opens a video, has candidates proposed, and then asks a locator twice: :meth:`View.locate` chooses the
track and says from when to when, :meth:`View.refine` sets the ends once the chosen track is known densely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from stvg_core.method.evidence import Choice, Evidence
from stvg_core.query import SubQueries
from stvg_core.settings import GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Grounding, Track, Tube, VideoInfo
from stvg_core.video import Pictures

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer
    from stvg_core.mllm.loading import LoadedModel
    from stvg_core.sentence_group import Looked


@dataclass(frozen=True)
class Question:
    """One sentence about one video.

    Attributes:
        sentence: normalised (:func:`stvg_core.query.normalise_query`).
        statement: the same with its final mark.
        parts: its attribute phrase and its action sentence.
        through: a frame that the interval must hold, because a person drew a box there; else None.
        keep: further sentences on this video follow: what they can share is kept.
        looked: what a view saw for it together with other sentences.
    """

    sentence: str
    statement: str
    parts: SubQueries
    through: int | None = None
    keep: bool = False
    looked: Looked | None = None


@dataclass(frozen=True)
class Located:
    """What a locator found.

    Attributes:
        tracks: the candidates that the choice is among, P of them: those that were given, and what the locator found
            itself.
        evidence: how it was seen; its ``chosen`` is the choice's.
    """

    tracks: list[Track]
    evidence: Evidence
    choice: Choice


@dataclass(frozen=True)
class Answer:
    """What was located, made exact: the tube, how sure, and the evidence with all that came since."""

    tube: Tube
    score: float
    evidence: Evidence


class View(Protocol):
    """One open video in front of a locator; all sentences about the video share it.

    Attributes:
        slots: ``(T,)`` int64, the frames that stand for what is looked at first.
        limited: would there be more of them, with more memory?
    """

    @property
    def slots(self) -> Array: ...
    @property
    def limited(self) -> bool: ...

    def locate(
        self, question: Question, tracks: list[Track], weight: float, settings: GroundingSettings, watch: Stopwatch,
        tick: Callable[[float], None],
    ) -> Located:  # fmt: skip
        """Choose the track and its interval.

        Args:
            tracks: P candidates.
            weight: how far the proposer's confidence counts where the settings leave it open.
            tick: called with the share that is done.

        Raises:
            ModelError: no usable answer.
            NonFiniteError: NaN or infinite numbers.
        """
        ...

    def refine(
        self, located: Located, track: Track, question: Question, settings: GroundingSettings, watch: Stopwatch
    ) -> Answer:
        """The tube; where the settings ask for it, the ends are looked at once more, more densely.

        Args:
            located: with a track that was chosen.
            track: that track as dense as it can be had.

        Raises: as :meth:`locate`.
        """
        ...

    def group(self, settings: GroundingSettings) -> int:
        """How many further sentences are better looked at together, at most; 1 where one by one is as good."""
        ...

    def look_together(
        self, queries: Sequence[str], decomposer: Decomposer, settings: GroundingSettings,
        report: Callable[[float, str], None], keep: bool,
    ) -> list[Looked | Exception | None]:  # fmt: skip
        """For each sentence what it saw, its error, or None where it is to be done alone."""
        ...

    def release(self) -> None:
        """Between two calls of the pipeline: let go of what only the sentences of one call share."""
        ...


class Locator(Protocol):
    """Opens views of videos.

    Attributes:
        name: the value of ``locator`` in the settings.
        loaded: the model on this machine, None where there is none.
        device: where models of the proposer belong, too.
    """

    name: str
    loaded: LoadedModel | None

    @property
    def device(self) -> str: ...

    def frames(self, info: VideoInfo, settings: GroundingSettings) -> Array:
        """``(N,)`` int64: the frames that :meth:`View.locate` needs of a video, so that they can be decoded ahead."""
        ...

    def open(self, video: Pictures, settings: GroundingSettings, watch: Stopwatch) -> View:
        """Look at a video, or a part of one, whose frames count from 0. It stays the caller's to close."""
        ...

    def within_memory(
        self, settings: GroundingSettings, first: Callable[[], Grounding], again: Callable[[], Grounding],
        forget: Callable[[], None],
    ) -> Grounding:  # fmt: skip
        """What ``first`` gives, or, where the memory does not suffice, what ``again`` gives with less to look at.

        Args:
            forget: drops what is held for the last video.

        Raises:
            ModelError: the memory does not suffice even so.
        """
        ...
