"""Are two answers the same? Compared where it matters: the score of every track and of every slot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stvg_core.method.evidence import Rows
from stvg_core.method.maps import maps
from stvg_core.method.tracks import cell_coverage, slot_scores
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array

TOLERANCE = 1e-3
"""Of the largest score: two flows that differ by more are not the same method."""


@dataclass(frozen=True)
class Scores:
    """``s_obj (P,)``, the chosen track and its ``s_frame (T,)`` (paper, stage 7), the maps ``(T, h, w)``, and the role
    tokens that they were read from, by branch.
    """

    s_obj: Array
    chosen: int
    s_frame: Array
    spatial: Array
    temporal: Array
    tokens: dict[str, int]

    @classmethod
    def of(cls, rows: Rows, boxes: Array, settings: GroundingSettings) -> Scores:
        """Args: ``boxes (P, T, 4)`` normalised xyxy per slot, NaN where a track is absent."""
        found = maps(rows, settings)
        coverage = cell_coverage(boxes, *found.spatial.shape[1:], rule=settings.coverage)
        s_obj = slot_scores(found.spatial, coverage).max(axis=1)
        chosen = int(s_obj.argmax())
        s_frame = slot_scores(found.temporal, coverage)[chosen]
        tokens = {name: value for name, value in found.info.items() if "_token" in name}
        return cls(s_obj, chosen, s_frame, found.spatial, found.temporal, tokens)


def difference(one: Scores, other: Scores) -> dict[str, float]:
    """Largest differences, each as a share of the other's largest value."""
    return {
        "s_obj": _relative(one.s_obj, other.s_obj),
        "s_frame": _relative(one.s_frame, other.s_frame),
        "maps": max(_relative(one.spatial, other.spatial), _relative(one.temporal, other.temporal)),
    }


def must_agree(one: Scores, other: Scores) -> dict[str, float]:
    """:func:`difference`.

    Raises:
        AssertionError: the scores differ by more than :data:`TOLERANCE`, or another track is chosen.
    """
    found = difference(one, other)
    if one.chosen != other.chosen or max(found["s_obj"], found["s_frame"]) > TOLERANCE:
        raise AssertionError(f"The two flows do not give the same scores: {found}, tracks {one.chosen}, {other.chosen}")
    return found


def larger(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    """Entry by entry the larger of two differences."""
    return {name: max(value, other.get(name, 0.0)) for name, value in one.items()}


def _relative(one: Array, other: Array) -> float:
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-30))
