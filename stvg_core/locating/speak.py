"""The model names the time, and boxes in a few pictures; candidate tracks, or following a named box, give the tube.

Boxes are asked for in thousandths of the picture. Models also answer in shares of it or in pixels of what they were
shown: all numbers of 1 at most are shares; among the two others the reading whose boxes lie better on candidates is
taken, and thousandths where candidates do not tell.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.locating import answer_text, prompts
from stvg_core.locating.base import Question
from stvg_core.locating.marks import NOTHING
from stvg_core.locating.words import Found, WordsView
from stvg_core.proposals.following import DrawnBox
from stvg_core.stopwatch import Stopwatch
from stvg_core.tube import Array, Track

ON_IT = "the named boxes lie on the track"
SAME = 0.3
"""Mean IoU of the named boxes with a candidate from which on it is that candidate; else the best box is followed."""
CLEARLY = 0.2
"""By so much the boxes must lie better on candidates as pixels than as thousandths."""
THOUSANDTHS = 1000.0

AS_SHARES = "The boxes were read as shares of the picture."
AS_PIXELS = "The boxes were read as pixels: as thousandths of the picture they lie on no candidate."
TURNED = "Corners of a box were the wrong way round: they were swapped."
CUT_BOX = "A box reached over the border of the picture: it was cut."
DROPPED = "A box that has no area in the picture was left out."


class SpeakView(WordsView):
    """See :class:`stvg_core.locating.words.WordsView`."""

    def first(self, question: Question, tracks: list[Track], watch: Stopwatch) -> Found:
        """One question for both; with a drawn box the object is known, and the time alone is asked for."""
        pictures = self.pictures(self.slots, watch)
        known = question.through is not None
        height, width = pictures[0][0].shape[:2]

        def read(
            answer: str, repairs: list[str]
        ) -> tuple[tuple[tuple[int, int], list[tuple[int, Array]]], dict[str, object]]:
            named = [] if known else self._boxes(answer, tracks, (width, height), repairs)
            if not known and not named and _says_none(answer):
                return (NOTHING, []), {"boxes": "none"}
            span, by_name = self.read_span(answer, pictures[1], repairs)
            if not known and not named:
                raise answer_text.Unreadable("There is no usable box in it.")
            return (span, named), by_name | ({} if known else {"boxes": len(named)})

        words = (prompts.times if known else prompts.speak)(question.sentence)
        with watch("asking"):
            (span, named), rounds = self.ask("when and where", words, read, pictures, self.slots)
        if known:
            return Found(tracks, 0, span, rounds)
        if not named:
            return Found(tracks, -1, NOTHING, rounds)
        overlaps = self._overlaps(named, tracks)
        best = int(overlaps.argmax()) if len(tracks) else -1
        if best >= 0 and overlaps[best] >= SAME:
            return Found(tracks, best, span, rounds, {ON_IT: float(overlaps[best])})
        picture, box = named[len(named) // 2]
        with watch("propose"):
            followed = self._locator.follow(self._video, DrawnBox(int(self.slots[picture]), box))
        every = [*tracks, followed]
        return Found(every, len(tracks), span, rounds, {ON_IT: float(self._overlaps(named, [followed])[0])})

    def _boxes(
        self, answer: str, tracks: Sequence[Track], size: tuple[int, int], repairs: list[str]
    ) -> list[tuple[int, Array]]:
        """Named boxes with their picture, normalised xyxy ``(4,)`` each."""
        said = list(answer_text.each_box(answer, len(self.slots)))
        if not said:
            return []
        numbers = np.array([box for _, box in said])
        if numbers.max() <= 1.0:
            repairs.append(AS_SHARES)
            return self._clean(said, numbers, repairs)
        as_asked: list[str] = []
        found = self._clean(said, numbers / THOUSANDTHS, as_asked)
        if tracks and numbers.max() <= max(size):
            noted: list[str] = []
            as_pixels = self._clean(said, numbers / [*size, *size], noted)
            best = [max(self._overlaps(one, tracks), default=0.0) if one else 0.0 for one in (found, as_pixels)]
            if best[1] > best[0] + CLEARLY and best[0] < SAME:
                repairs += [AS_PIXELS, *noted]
                return as_pixels
        repairs += as_asked
        return found

    def _clean(
        self, said: Sequence[tuple[int, list[float]]], boxes: Array, repairs: list[str]
    ) -> list[tuple[int, Array]]:
        found = []
        for (picture, _), box in zip(said, boxes, strict=True):
            sorted_box = np.concatenate([np.minimum(box[:2], box[2:]), np.maximum(box[:2], box[2:])])
            inside = sorted_box.clip(0.0, 1.0)
            if (sorted_box != box).any():
                repairs.append(TURNED)
            if (inside[:2] >= inside[2:]).any():
                repairs.append(DROPPED)
                continue
            if np.abs(inside - sorted_box).max() > 0.02:
                repairs.append(CUT_BOX)
            found.append((picture, inside.astype(np.float32)))
        return found

    def _overlaps(self, named: Sequence[tuple[int, Array]], tracks: Sequence[Track]) -> Array:
        """``(P,)`` mean IoU of the named boxes with each track; 0 where a track is absent."""
        frames = np.array([self.slots[picture] for picture, _ in named])
        boxes = np.stack([box for _, box in named])
        found = [np.nan_to_num(box_iou(track.at(frames), boxes), nan=0.0).mean() for track in tracks]
        return np.array(found, dtype=np.float64)


def _says_none(answer: str) -> bool:
    """Does it say, in the form that was asked for, that there is no such object?"""
    found = answer_text.last_with(answer, "boxes")
    return found is not None and found["boxes"] in ([], None)
