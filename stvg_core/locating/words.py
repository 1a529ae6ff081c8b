"""What locators that use words share: the pictures, questions with a second try, the evidence, and the ends.

A question is asked once more where its answer cannot be read, with the reason; then the model's words are the error.
The second look is a round about each end: pictures around it, as many as can be shown, both asked side by side. In a
long video more rounds follow.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import numpy as np

from stvg_core.chat.base import Ask, Chat, Shown
from stvg_core.chat.pictures import fitted
from stvg_core.errors import ModelError
from stvg_core.locating import prompts, reading
from stvg_core.locating.base import Answer, Located, Question
from stvg_core.locating.continuing import continued
from stvg_core.locating.painting import painted
from stvg_core.locating.said import Mark, Round, Said
from stvg_core.locating.stopwatch import Stopwatch
from stvg_core.method.evidence import Choice, Evidence
from stvg_core.method.interval import cut
from stvg_core.proposals.following import DrawnBox
from stvg_core.settings import GroundingSettings
from stvg_core.text import printable, shown
from stvg_core.tube import Array, Grounding, Track, VideoInfo
from stvg_core.video import Pictures, sample_indices

ROUNDS, FORM = "both rounds about the time agree", "answered in the form asked for"
AROUND = 1.5
"""Of the distance of two pictures of the round before, on both sides of an end: what the next round shows."""
MOST_ROUNDS, FINE_S = 3, 0.5
"""Further rounds about the ends: one, and in a long video more, until its pictures are this many seconds apart."""
CROSSED = "The end lies before the start, so those of the round before were kept."
_QUOTED = 240
_KEPT = 20_000
_TRIES = 2

T = TypeVar("T")
Follow = Callable[[Pictures, DrawnBox], Track]
"""The object in a box on one frame, followed both ways (:meth:`stvg_core.proposals.base.Proposer.follow`)."""
Read = Callable[[str, list[str]], tuple[T, Mapping[str, object]]]
"""The model's words, and a list for repairs -> what they mean, and the same by name; raises Unreadable."""


class AnswerError(ModelError):
    """The model answered, and nothing that is asked for can be read in its words, which the message quotes."""

    def __init__(self, why: str, answer: str) -> None:
        said = textwrap.shorten(shown(" ".join(answer.split())), _QUOTED, placeholder=" ...")
        super().__init__(f"The model's answer cannot be used. {why} It said: “{said[:_QUOTED]}”")


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

    def __init__(self, name: str, chat: Chat, follow: Follow, view: type[WordsView], device: str) -> None:
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
        from stvg_core.freeing import twice  # torch, for the proposer's models

        refused = f"The memory of {self.device} does not suffice. Take a smaller model, or fewer or smaller pictures."
        return twice(first, again, forget, refused)


class WordsView:
    """One video, as the pictures that are shown of it.

    Attributes:
        slots: ``(T,)`` int64, the frames of the first round's pictures.
    """

    limited = False

    def __init__(self, locator: WordsLocator, video: Pictures, settings: GroundingSettings, watch: Stopwatch) -> None:
        self._locator, self._chat, self._video = locator, locator.chat, video
        self._side, self._most = settings.shown_side, settings.shown_most
        self.slots = first_frames(video.info, settings)
        self._kept: tuple[list[Array], Array] | None = None
        self._tick: Callable[[float], None] = lambda share: None
        self.pictures(self.slots, watch)

    def first(self, question: Question, tracks: list[Track], watch: Stopwatch) -> Found:
        """Which track, and from when to when? Raises :class:`AnswerError`, ChatError."""
        raise NotImplementedError

    def pictures(self, frames: Array, watch: Stopwatch) -> tuple[list[Array], Array]:
        """Pictures of ``(N,)`` frames as they are sent, and when each is, in seconds; the first round's are kept."""
        if frames is self.slots and self._kept is not None:
            return self._kept
        with watch("decode"):
            read = self._video.read(frames)
            found = [fitted(picture, self._side) for picture in read.pixels], read.seconds
        if frames is self.slots:
            self._kept = found
        return found

    def release(self) -> None:
        self._kept = None

    def locate(
        self, question: Question, tracks: list[Track], weight: float, settings: GroundingSettings, watch: Stopwatch,
        tick: Callable[[float], None],
    ) -> Located:  # fmt: skip
        """As of :class:`stvg_core.locating.base.View`: the model is asked."""
        self._tick = tick
        found = self.first(question, tracks, watch)
        tick(1.0)
        said = Said(self._chat.name, tuple(found.rounds), certainty(found.rounds, found.certainty))
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
            self._tick(1.0)
        if span != first or said is not evidence.said:
            scores = frame_scores(len(located.tracks), located.choice.chosen, self.slots, span)
            evidence = replace(evidence, said=said, frame_scores=scores)
        others = [one for number, one in enumerate(located.tracks) if number != located.choice.chosen]
        return Answer(cut(continued(track, others, *span), *span), said.score, evidence)

    def ask(
        self, about: str, question: str, read: Read[T], pictures: tuple[list[Array], Array], frames: Array,
        marks: Sequence[Mark] = (),
    ) -> tuple[T, list[Round]]:  # fmt: skip
        """One question, asked once more where the answer cannot be read.

        Raises:
            AnswerError: it cannot be read then either.
            ChatError: there is no answer.
        """
        words, rounds = question, []
        for attempt in range(1, _TRIES + 1):
            answer = self._chat.answers([self._asked(words, pictures, marks)])[0]
            self._tick(0.5)  # there is progress, however long the next answer takes
            repairs: list[str] = []
            try:
                value, by_name = read(answer, repairs)
            except reading.Unreadable as error:
                why = str(error)
                if attempt == _TRIES:
                    raise AnswerError(why, answer) from None
                rounds.append(_round(about, words, answer, {}, [f"Not usable, so it was asked again. {why}"],
                                     pictures, frames, marks))  # fmt: skip
                words = f"{question}\n{prompts.REMINDER.format(why=why)}"
                continue
            rounds.append(_round(about, words, answer, by_name, repairs, pictures, frames, marks))
            return value, rounds
        raise AssertionError("unreachable")

    def frame_of(self, seconds: float) -> int:
        """The frame whose beginning is nearest to a time."""
        times = self._video.seconds
        after = int(np.searchsorted(times, seconds).clip(0, len(times) - 1))
        before = max(after - 1, 0)
        return before if seconds - times[before] <= times[after] - seconds else after

    def clock(self, times: Array, repairs: list[str]) -> reading.Clock:
        """For reading times that are about these pictures."""
        info = self._video.info
        return reading.Clock(times.tolist(), 0.0, max(float(info.duration_s), float(self._video.seconds[-1])), repairs)

    def read_span(self, answer: str, times: Array, repairs: list[str]) -> tuple[tuple[int, int], dict[str, object]]:
        """First and last frame that are said. Raises Unreadable."""
        start, end = reading.span(answer, self.clock(times, repairs))
        return (self.frame_of(start), self.frame_of(end)), {"start": round(start, 3), "end": round(end, 3)}

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
            asked.append(self._asked(prompts.end(question.sentence, which), pictures, ()))
        with watch("second_look"):
            answers = self._chat.answers(asked)
        rounds, ends = [], []
        for which, at, answer, ask, (frames, pictures) in zip(
            ("start", "end"), span, answers, asked, shown_of, strict=True
        ):
            repairs: list[str] = []
            try:
                seconds = reading.moment(answer, which, self.clock(pictures[1], repairs))
                at, by_name = self.frame_of(seconds), {which: round(seconds, 3)}
            except reading.Unreadable as error:
                repairs, by_name = [f"Not usable, so the first round's {which} was kept. {error}"], {}
            ends.append(at)
            rounds.append(_round(f"when it {which}s", ask.question, answer, by_name, repairs, pictures, frames, ()))
        return rounds, (ends[0], ends[1])

    def _asked(self, words: str, pictures: tuple[list[Array], Array], marks: Sequence[Mark]) -> Ask:
        each = zip(painted(pictures[0], marks), pictures[1], _captions(pictures[1]), strict=True)
        return Ask(tuple(Shown(caption, pixels, float(seconds)) for pixels, seconds, caption in each), words)

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


def _round(
    about: str, question: str, answer: str, read: Mapping[str, object], repairs: Sequence[str],
    pictures: tuple[list[Array], Array], frames: Array, marks: Sequence[Mark],
) -> Round:  # fmt: skip
    height, width = pictures[0][0].shape[:2]
    return Round(
        about, tuple(frames.tolist()), _captions(pictures[1]), question, printable(answer[:_KEPT]), dict(read),
        tuple(dict.fromkeys(repairs)), tuple(marks), (width, height),
    )  # fmt: skip


def _captions(times: Array) -> tuple[str, ...]:
    return tuple(f"Picture {number}, {seconds:.2f} s:" for number, seconds in enumerate(times.tolist(), 1))


def _through(span: tuple[int, int], frame: int | None) -> tuple[int, int]:
    """With the frame that the interval must hold."""
    return span if frame is None else (min(span[0], frame), max(span[1], frame))


def _tiou(one: tuple[int, int], other: tuple[int, int]) -> float:
    shared = max(0, min(one[1], other[1]) - max(one[0], other[0]) + 1)
    return shared / (one[1] - one[0] + other[1] - other[0] + 2 - shared)
