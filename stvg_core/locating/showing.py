"""One video as pictures for a model that answers in words: what is shown, asking twice, times and frames.

A question is asked once more where its answer cannot be read, with the reason; then the model's words are the error.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from stvg_core.chat.base import Ask, Chat, Shown
from stvg_core.chat.pictures import fitted
from stvg_core.errors import ModelError
from stvg_core.locating import answer_text, prompts
from stvg_core.locating.painting import painted
from stvg_core.locating.said import Mark, Round
from stvg_core.settings import GroundingSettings
from stvg_core.stopwatch import Stopwatch
from stvg_core.text import printable, shown
from stvg_core.tube import Array
from stvg_core.video import Pictures

_QUOTED = 240
_KEPT = 20_000
_TRIES = 2

T = TypeVar("T")
Sent = tuple[list[Array], Array]
"""Pictures as they are sent, and when each is, in seconds."""
Read = Callable[[str, list[str]], tuple[T, Mapping[str, object]]]
"""The model's words, and a list for repairs -> what they mean, and the same by name; raises Unreadable."""


class AnswerError(ModelError):
    """The model answered, and nothing that is asked for can be read in its words, which the message quotes."""

    def __init__(self, why: str, answer: str) -> None:
        said = textwrap.shorten(shown(" ".join(answer.split())), _QUOTED, placeholder=" ...")
        super().__init__(f"The model's answer cannot be used. {why} It said: “{said[:_QUOTED]}”")


class Showing:
    """An open video in front of a model.

    Attributes:
        slots: ``(T,)`` int64, the frames of the first round's pictures.
        tick: called with a share while answers come in.
    """

    def __init__(self, chat: Chat, video: Pictures, settings: GroundingSettings, slots: Array) -> None:
        self.chat, self.slots = chat, slots
        self.tick: Callable[[float], None] = lambda share: None
        self._video = video
        self._side, self._most = settings.shown_side, settings.shown_most
        self._kept: Sent | None = None

    def pictures(self, frames: Array, watch: Stopwatch) -> Sent:
        """Pictures of ``(N,)`` frames as they are sent, and when each is, in seconds; the first round's are kept."""
        if frames is self.slots and self._kept is not None:
            return self._kept
        with watch("decode"):
            read = self._video.read(frames)
            found = [fitted(picture, self._side) for picture in read.pixels], read.seconds
        if frames is self.slots:
            self._kept = found
        return found

    def ask(
        self, about: str, question: str, read: Read[T], pictures: Sent, frames: Array,
        marks: Sequence[Mark] = (),
    ) -> tuple[T, list[Round]]:  # fmt: skip
        """One question, asked once more where the answer cannot be read.

        Raises:
            AnswerError: it cannot be read then either.
            ChatError: there is no answer.
        """
        words, rounds = question, []
        for attempt in range(1, _TRIES + 1):
            answer = self.chat.answers([self.asked(words, pictures, marks)])[0]
            self.tick(0.5)  # there is progress, however long the next answer takes
            repairs: list[str] = []
            try:
                value, by_name = read(answer, repairs)
            except answer_text.Unreadable as error:
                why = str(error)
                if attempt == _TRIES:
                    raise AnswerError(why, answer) from None
                rounds.append(round_of(about, words, answer, {}, [f"Not usable, so it was asked again. {why}"],
                                     pictures, frames, marks))  # fmt: skip
                words = f"{question}\n{prompts.REMINDER.format(why=why)}"
                continue
            rounds.append(round_of(about, words, answer, by_name, repairs, pictures, frames, marks))
            return value, rounds
        raise AssertionError("unreachable")

    def frame_of(self, seconds: float) -> int:
        """The frame whose beginning is nearest to a time."""
        times = self._video.seconds
        after = int(np.searchsorted(times, seconds).clip(0, len(times) - 1))
        before = max(after - 1, 0)
        return before if seconds - times[before] <= times[after] - seconds else after

    def clock(self, times: Array, repairs: list[str]) -> answer_text.Clock:
        """For reading times that are about these pictures."""
        info = self._video.info
        return answer_text.Clock(
            times.tolist(), 0.0, max(float(info.duration_s), float(self._video.seconds[-1])), repairs
        )

    def read_span(self, answer: str, times: Array, repairs: list[str]) -> tuple[tuple[int, int], dict[str, object]]:
        """First and last frame that are said. Raises Unreadable."""
        start, end = answer_text.span(answer, self.clock(times, repairs))
        return (self.frame_of(start), self.frame_of(end)), {"start": round(start, 3), "end": round(end, 3)}

    def asked(self, words: str, pictures: Sent, marks: Sequence[Mark]) -> Ask:
        """A question with pictures, marks painted on them."""
        each = zip(painted(pictures[0], marks), pictures[1], _captions(pictures[1]), strict=True)
        return Ask(tuple(Shown(caption, pixels, float(seconds)) for pixels, seconds, caption in each), words)

    def release(self) -> None:
        """Let go of the pictures."""
        self._kept = None


def round_of(
    about: str, question: str, answer: str, read: Mapping[str, object], repairs: Sequence[str],
    pictures: Sent, frames: Array, marks: Sequence[Mark],
) -> Round:  # fmt: skip
    """What is kept of a question and its answer."""
    height, width = pictures[0][0].shape[:2]
    return Round(
        about, tuple(frames.tolist()), _captions(pictures[1]), question, printable(answer[:_KEPT]), dict(read),
        tuple(dict.fromkeys(repairs)), tuple(marks), (width, height),
    )  # fmt: skip


def _captions(times: Array) -> tuple[str, ...]:
    return tuple(f"Picture {number}, {seconds:.2f} s:" for number, seconds in enumerate(times.tolist(), 1))
