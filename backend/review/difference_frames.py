"""On which frames do several answers to one question differ?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from backend.review.drawn_tube import Drawn, overlap

NEAR = 0.5
"""From this IoU on two boxes are taken for the same place."""
DRIFT, ALONE = "drift", "alone"
_KINDS = ("", DRIFT, ALONE)


@dataclass(frozen=True)
class Stretch:
    """Frames on which answers differ, 0-based, both included.

    Attributes:
        kind: "drift": all are shown, and two of them lie apart; "alone": some are shown and some are not.
    """

    first: int
    last: int
    kind: str


def stretches(answers: Sequence[Drawn | None]) -> list[Stretch]:
    """Where any two of the answers differ, in the order of time, frames of one kind together.

    Args:
        answers: None for one that says "it is not there".
    """
    there = [drawn for drawn in answers if drawn is not None]
    if not there or len(answers) < 2:
        return []
    first = min(drawn.tube.start_frame for drawn in there)
    last = max(drawn.tube.end_frame for drawn in there)
    worst = np.zeros(last - first + 1, dtype=np.int8)
    if len(there) < len(answers):
        for drawn in there:
            worst[drawn.on(first, last)[1]] = _KINDS.index(ALONE)
    for one, other in combinations(there, 2):
        both = overlap(one, other)
        shown = np.isfinite(both.frame_ious)
        kind = np.where(shown & ~both.common, 2, np.where(both.common & (both.frame_ious < NEAR), 1, 0))
        begin = both.first_frame - first
        part = worst[begin : begin + len(kind)]
        np.maximum(part, kind, out=part, casting="unsafe")
    borders = np.flatnonzero(np.diff(worst)) + 1
    starts, ends = np.append(0, borders), np.append(borders, len(worst))
    return [
        Stretch(first + int(start), first + int(end) - 1, _KINDS[worst[start]])
        for start, end in zip(starts, ends, strict=True)
        if worst[start]
    ]
