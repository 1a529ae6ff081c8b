"""What locators that use words share: the pictures, questions with a second try, the evidence, and the ends.

A question is asked once more where its answer cannot be read, with the reason; then the model's words are the error.
The second look is a round about each end: pictures around it, as many as can be shown, both asked side by side. In a
long video more rounds follow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from stvg_core.chat.base import Chat
from stvg_core.locating import answer_text, prompts
from stvg_core.locating.base import Answer, Located, Question
from stvg_core.locating.continuing import continued
from stvg_core.locating.said import Round, Said
from stvg_core.locating.showing import Showing, round_of
from stvg_core.method.evidence import Choice, Evidence
from stvg_core.method.interval import cut
from stvg_core.proposals.following import DrawnBox
from stvg_core.settings import GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Grounding, Track, VideoInfo
from stvg_core.video import Pictures, sample_indices

if TYPE_CHECKING:
    from stvg_core.decomposition import Decomposer
    from stvg_core.sentence_group import Looked

ROUNDS, FORM = "both rounds about the time agree", "answered in the form asked for"
AROUND = 1.5
"""Of the distance of two pictures of the round before, on both sides of an end: what the next round shows."""
MOST_ROUNDS, FINE_S = 3, 0.5
"""Further rounds about the ends: one, and in a long video more, until its pictures are this many seconds apart."""
CROSSED = "The end lies before the start, so those of the round before were kept."

Follow = Callable[[Pictures, DrawnBox], Track]
"""The object in a box on one frame, followed both ways (:meth:`stvg_core.proposals.base.Proposer.follow`)."""


@dataclass(frozen=True)
class Found:
    """What a locator read in the model's words.

    Attributes:
        tracks: the candidates, with any that the locator found itself.
        chosen: which of them, -1 for none.
        span: first and last frame, both included.
        rounds: what was asked and said.
        certainty: what speaks for it, beside how well the answers could be read.
    """

    tracks: list[Track]
    chosen: int
    span: tuple[int, int]
    rounds: list[Round]
    certainty: dict[str, float] = field(default_factory=dict)


class WordsLocator:
    """A locator that asks a model; what is asked is its view's matter.

    Args:
        name: the value of ``locator`` in the settings.
        view: makes the view of a video.
        device: where models of the proposer belong.
    """

    def __init__(self, name: str, chat: Chat, follow: Follow, view: Callable[..., WordsView], device: str) -> None:
        self.name, self.chat, self.follow = name, chat, follow
        self.loaded = chat.loaded
        self._view, self._device = view, device

    @property
    def device(self) -> str:
        return self._device

    def frames(self, info: VideoInfo, settings: GroundingSettings) -> Array:
        """As of :class:`stvg_core.locating.base.Locator`: the pictures of the first round."""
        return first_frames(info, settings)

    def open(self, video: Pictures, settings: GroundingSettings, watch: Stopwatch) -> WordsView:
        """As of :class:`stvg_core.locating.base.Locator`; nothing is asked yet."""
        return self._view(self, video, settings, watch)

    def within_memory(
        self, settings: GroundingSettings, first: Callable[[], Grounding], again: Callable[[], Grounding],
        forget: Callable[[], None],
    ) -> Grounding:  # fmt: skip
        """As of :class:`stvg_core.locating.base.Locator`: it is tried once more after letting go of what is held."""
        from stvg_core.out_of_memory import twice  # torch, for the proposer's models

        refused = f"The memory of {self.device} does not suffice. Take a smaller model, or fewer or smaller pictures."
        return twice(first, again, forget, refused)


class WordsView(Showing, ABC):
    """One video, as the pictures that are shown of it.

    Attributes:
        slots: ``(T,)`` int64, the frames of the first round's pictures.
    """

    limited = False

    def __init__(self, locator: WordsLocator, video: Pictures, settings: GroundingSettings, watch: Stopwatch) -> None:
        super().__init__(locator.chat, video, settings, first_frames(video.info, settings))
        self._locator = locator
        self.pictures(self.slots, watch)

    @abstractmethod
    def first(self, question: Question, tracks: list[Track], watch: Stopwatch) -> Found:
        """Which track, and from when to when? Raises :class:`AnswerError`, ChatError."""

    def group(self, settings: GroundingSettings) -> int:
        """As of :class:`stvg_core.locating.base.View`: each sentence is asked by itself."""
        return 1

    def look_together(
        self, queries: Sequence[str], decomposer: Decomposer, settings: GroundingSettings,
        report: Callable[[float, str], None], keep: bool,
    ) -> list[Looked | Exception | None]:  # fmt: skip
        """As of :class:`stvg_core.locating.base.View`."""
        return [None] * len(queries)

    def locate(
        self, question: Question, tracks: list[Track], weight: float, settings: GroundingSettings, watch: Stopwatch,
        tick: Callable[[float], None],
    ) -> Located:  # fmt: skip
        """As of :class:`stvg_core.locating.base.View`: the model is asked."""
        self.tick = tick
        found = self.first(question, tracks, watch)
        tick(1.0)
        said = Said(self.chat.name, tuple(found.rounds), certainty(found.rounds, found.certainty))
        span = _through(found.span, question.through)
        score = said.score if found.chosen >= 0 else 0.0
        evidence = self._evidence(found, span, settings, said)
        return Located(found.tracks, evidence, Choice(found.chosen, span, score))

    def refine(
        self, located: Located, track: Track, question: Question, settings: GroundingSettings, watch: Stopwatch
    ) -> Answer:
        """As of :class:`stvg_core.locating.base.View`: the ends are asked about more densely. What cannot be read there
        leaves the end of the first round, and says so.
        """
        evidence, span, said = located.evidence, located.choice.span, located.evidence.said
        assert said is not None
        spacing, first = self._video.info.n_frames / len(self.slots), span
        for number in range(MOST_ROUNDS if settings.second_look else 0):
            if spacing <= 1 or (number and spacing / self._video.info.fps <= FINE_S):
                break
            rounds, new = self._ends(span, spacing, question, watch)
            if new[0] > new[1]:
                rounds[-1] = replace(rounds[-1], repairs=(*rounds[-1].repairs, CROSSED))
            span = _through(new if new[0] <= new[1] else span, question.through)
            parts = {name: value for name, value in said.certainty.items() if name != FORM}
            said = said.with_rounds(rounds, certainty([*said.rounds, *rounds], parts | {ROUNDS: _tiou(first, span)}))
            spacing *= 2 * AROUND / (max(2, self._most // 2) - 1)
            self.tick(1.0)
        if span != first or said is not evidence.said:
            scores = frame_scores(len(located.tracks), located.choice.chosen, self.slots, span)
            evidence = replace(evidence, said=said, frame_scores=scores)
        others = [one for number, one in enumerate(located.tracks) if number != located.choice.chosen]
        return Answer(cut(continued(track, others, *span), *span), said.score, evidence)

    def _ends(
        self, span: tuple[int, int], spacing: float, question: Question, watch: Stopwatch
    ) -> tuple[list[Round], tuple[int, int]]:
        shown_of, asked = [], []
        for which, at in zip(("start", "end"), span, strict=True):
            first = max(0, round(at - AROUND * spacing))
            last = min(self._video.info.n_frames - 1, round(at + AROUND * spacing))
            frames = np.unique(np.linspace(first, last, max(2, self._most // 2)).round().astype(np.int64))
            pictures = self.pictures(frames, watch)
            shown_of.append((frames, pictures))
            asked.append(self.asked(prompts.end(question.sentence, which), pictures, ()))
        with watch("second_look"):
            answers = self.chat.answers(asked)
        rounds, ends = [], []
        for which, at, answer, ask, (frames, pictures) in zip(
            ("start", "end"), span, answers, asked, shown_of, strict=True
        ):
            repairs: list[str] = []
            try:
                seconds = answer_text.moment(answer, which, self.clock(pictures[1], repairs))
                at, by_name = self.frame_of(seconds), {which: round(seconds, 3)}
            except answer_text.Unreadable as error:
                repairs, by_name = [f"Not usable, so the first round's {which} was kept. {error}"], {}
            ends.append(at)
            rounds.append(round_of(f"when it {which}s", ask.question, answer, by_name, repairs, pictures, frames, ()))
        return rounds, (ends[0], ends[1])

    def _evidence(self, found: Found, span: tuple[int, int], settings: GroundingSettings, said: Said) -> Evidence:
        slots, tracks = self.slots, found.tracks
        named = np.zeros(len(tracks))
        if found.chosen >= 0:
            named[found.chosen] = 1.0
        boxes = np.stack([one.at(slots) for one in tracks]) if tracks else np.empty((0, len(slots), 4), np.float32)
        none = np.zeros((len(slots), 0, 0), np.float16)
        info = {"looks": settings.looks_digest(), "n_frames": self._video.info.n_frames, "choice_weight": 0.0}
        ends = [[one.frames[0], one.frames[-1]] for one in tracks]
        return Evidence(
            slot_frames=slots, track_boxes=boxes, track_scores=named, track_scores_forward=named,
            track_scores_reversed=named, frame_scores=frame_scores(len(tracks), found.chosen, slots, span),
            spatial_map=none, temporal_map=none, chosen=found.chosen, info=info,
            proposer_scores=np.array([one.score for one in tracks]),
            ends=np.array(ends, dtype=np.int64).reshape(-1, 2),
            end_boxes=np.array([one.boxes[[0, -1]] for one in tracks], np.float32).reshape(-1, 2, 4), said=said,
        )  # fmt: skip


def first_frames(info: VideoInfo, settings: GroundingSettings) -> Array:
    """``(T,)`` int64: ``shown_per_second`` pictures, at most ``shown_most``, at least two where there are two."""
    wanted = round(info.duration_s * settings.shown_per_second)
    return sample_indices(info.n_frames, min(info.n_frames, max(2, min(wanted, settings.shown_most))))


def frame_scores(tracks: int, chosen: int, slots: Array, span: tuple[int, int]) -> Array:
    """``(P, T)``: 1 for the chosen track between its ends, else 0."""
    scores = np.zeros((tracks, len(slots)))
    if chosen >= 0:
        scores[chosen] = (slots >= span[0]) & (slots <= span[1])
    return scores


def certainty(rounds: Sequence[Round], parts: Mapping[str, float]) -> dict[str, float]:
    """What speaks for an answer: the parts, and whether everything was answered in the form that was asked for."""
    return {**parts, FORM: 0.5 if any(one.repairs for one in rounds) else 1.0}


def _through(span: tuple[int, int], frame: int | None) -> tuple[int, int]:
    """With the frame that the interval must hold."""
    return span if frame is None else (min(span[0], frame), max(span[1], frame))


def _tiou(one: tuple[int, int], other: tuple[int, int]) -> float:
    shared = max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)
    return shared / (one[1] - one[0] + other[1] - other[0] + 2 - shared)
