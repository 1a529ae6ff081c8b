"""The model sorts the numbers of the candidates into true, false and unknown, and is then asked for the time.

What it called unknown is asked again, on pictures that carry those numbers alone, in up to three rounds. What stays
unknown lowers the certainty, so that the task comes earlier in the review queue.
"""

from __future__ import annotations

from stvg_core.locating import answer_text, prompts
from stvg_core.locating.base import Question
from stvg_core.locating.marks import NOTHING, MarksView
from stvg_core.locating.said import Round
from stvg_core.locating.words import Found
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Track

ROUNDS = 3
ALONE = "one candidate was sorted out as true"


class PickView(MarksView):
    """See :class:`stvg_core.locating.words.WordsView`."""

    def first(self, question: Question, tracks: list[Track], watch: Stopwatch) -> Found:
        """Sort, then ask for the time. Of several that are true, the one that the proposer is surest of is taken."""
        if question.through is not None:  # one drawn box: there is nothing to sort
            return super().first(question, tracks, watch)
        pictures = self.pictures(self.slots, watch)
        numbers, _ = self.paint(tracks, pictures)
        left, true, rounds = list(numbers), list[int](), list[Round]()
        for count in range(1, ROUNDS + 1):
            if not left:
                break
            painted, marks = self.paint(tracks, pictures, left)
            asked = list(painted)

            def read(
                answer: str, repairs: list[str], asked: list[int] = asked
            ) -> tuple[dict[str, list[int]], dict[str, object]]:
                found = answer_text.sorted_numbers(answer, asked, repairs)
                return found, {name: ", ".join(map(str, values)) or "none" for name, values in found.items()}

            with watch("asking"):
                found, more = self.ask(
                    f"sorting the numbers, round {count}", prompts.pick(question.sentence, asked), read, pictures,
                    self.slots, marks,
                )  # fmt: skip
            rounds += more
            true += found["true"]
            left = found["unknown"]
        sure = 1.0 / max(1, len(true)) * (0.5 if left or not true else 1.0)
        candidates = true or left
        if not candidates:
            return Found(tracks, -1, NOTHING, rounds)
        number = max(candidates, key=lambda one: tracks[numbers[one]].score)
        span, asked_for = self._when(question, tracks, number, watch)
        return Found(tracks, numbers[number], span, [*rounds, *asked_for], {ALONE: sure})

    def _when(
        self, question: Question, tracks: list[Track], number: int, watch: Stopwatch
    ) -> tuple[tuple[int, int], list[Round]]:
        pictures = self.pictures(self.slots, watch)
        _, marks = self.paint(tracks, pictures, [number])

        def read(answer: str, repairs: list[str]) -> tuple[tuple[int, int], dict[str, object]]:
            return self.read_span(answer, pictures[1], repairs)

        with watch("asking"):
            words = prompts.times(question.sentence, number)
            return self.ask("when", words, read, pictures, self.slots, marks)
