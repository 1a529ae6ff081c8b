"""Candidates carry painted numbers; the model says which number it is, and from when to when."""

from __future__ import annotations

import json

import numpy as np

from stvg_core.locating import answer_text, prompts
from stvg_core.locating.base import Question
from stvg_core.locating.painting import marks_of, numbered
from stvg_core.locating.said import Mark
from stvg_core.locating.words import Found, WordsView
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Track

NOTHING = (0, 0)


class MarksView(WordsView):
    """See :class:`stvg_core.locating.words.WordsView`."""

    def first(self, question: Question, tracks: list[Track], watch: Stopwatch) -> Found:
        """One question for both; with a drawn box, which is the only candidate, too: the number is known then."""
        pictures = self.pictures(self.slots, watch)
        numbers, marks = self.paint(tracks, pictures)
        if not numbers:
            return Found(tracks, -1, NOTHING, [])
        known = next(iter(numbers)) if question.through is not None else None

        def read(answer: str, repairs: list[str]) -> tuple[tuple[int, tuple[int, int]], dict[str, object]]:
            both = answer_text.last_with(answer, "number", "start", "end")
            answer = answer if both is None else json.dumps(both)  # not the number of one guess and the time of another
            number = known or answer_text.number(answer, list(numbers), repairs)
            if number == 0:
                return (0, NOTHING), {"number": 0}
            span, by_name = self.read_span(answer, pictures[1], repairs)
            return (number, span), {"number": number, **by_name}

        words = prompts.marks(question.sentence) if known is None else prompts.times(question.sentence, known)
        with watch("asking"):
            (number, span), rounds = self.ask("which number, and when", words, read, pictures, self.slots, marks)
        return Found(tracks, numbers[number] if number else -1, span, rounds)

    def paint(
        self, tracks: list[Track], pictures: tuple[list[Array], Array], only: list[int] | None = None
    ) -> tuple[dict[int, int], tuple[Mark, ...]]:
        """The numbers that are painted somewhere, with the track of each, and the marks.

        Args:
            only: of these numbers alone.
        """
        height, width = pictures[0][0].shape[:2]
        numbers = {number: index for number, index in numbered(tracks).items() if only is None or number in only}
        marks = marks_of(tracks, numbers, np.asarray(self.slots), (width, height))
        there = {mark.number for mark in marks}
        return {number: index for number, index in numbers.items() if number in there}, marks
