"""Two tracks share the brightest cell: the attention decides, never the order in which they were proposed."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from stvg_core.calibration.rejoin import rejoin
from stvg_core.method.evidence import Evidence, Rows
from stvg_core.method.join import Choice, join
from stvg_core.method.maps import maps
from stvg_core.method.tracks import best_track, cell_coverage, excess, tied
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Track
from tests.calibration.planted import stored

SETTINGS = GroundingSettings(n_slots=2, tas=False, attention="raw", role_tokens="token-1", decomposer="rules")
SLOTS, FRAMES = np.array([2, 7]), 10
ATTENTION = np.array(
    [[[0, 0, 0, 0], [1, 9, 3, 0], [1, 1, 3, 0], [0, 0, 0, 0]], [[0, 0, 0, 0], [0, 2, 2, 0], [0, 0, 1, 0], [0, 0, 0, 0]]]
)
"""The brightest cell is the second of the second row; of what lies around it, more is on its right."""
LEFT, RIGHT, WHOLE = [0.0, 0.25, 0.5, 0.75], [0.25, 0.25, 0.75, 0.75], [0.0, 0.0, 1.0, 1.0]
FAR = [0.75, 0.0, 1.0, 0.25]


def track(box: list[float], score: float = 1.0) -> Track:
    return Track(np.array([0, FRAMES - 1]), np.tile(np.float32(box), (2, 1)), score)


def joined(tracks: list[Track], settings: GroundingSettings = SETTINGS) -> tuple[Evidence, Choice]:
    spatial = np.float32(ATTENTION)[None]
    rows = Rows(spatial, spatial, np.ones_like(spatial))
    return join(rows, maps(rows, settings), tracks, SLOTS, lambda boxes: boxes, FRAMES, settings, 0.0)


def test_the_excess_is_the_attention_inside_above_what_the_area_would_hold() -> None:
    coverage = cell_coverage(np.tile(np.float32([LEFT, RIGHT, WHOLE])[:, None], (1, 2, 1)), 4, 4)
    # Of 23 in all, 12 + 2 lie in LEFT and 16 + 5 in RIGHT; each covers 8 of 32 cells, and WHOLE all of them.
    np.testing.assert_allclose(excess(ATTENTION, coverage), [14 / 23 - 1 / 4, 21 / 23 - 1 / 4, 0.0], atol=1e-12)
    np.testing.assert_allclose(excess(ATTENTION * 1e-6, coverage), excess(ATTENTION, coverage), atol=1e-12)
    assert excess(np.zeros((2, 4, 4)), coverage).tolist() == [-0.25, -0.25, -1.0]


def test_tracks_are_tied_where_both_hold_the_brightest_cell() -> None:
    assert tied(np.array([9.0, 9.0, 8.99, 9.0])).tolist() == [True, True, False, True]
    assert tied(np.zeros(2)).tolist() == [True, True]


@pytest.mark.parametrize("order", list(permutations(range(4))))
def test_of_those_that_are_tied_the_attention_decides_in_any_order(order: tuple[int, ...]) -> None:
    candidates = [track(LEFT), track(RIGHT), track(WHOLE), track(FAR)]
    evidence, choice = joined([candidates[n] for n in order])
    np.testing.assert_allclose(sorted(evidence.track_scores), [0, 9, 9, 9])
    assert order[choice.chosen] == 1
    assert rejoin(stored(evidence), SETTINGS).chosen == choice.chosen


def test_first_is_the_proposers_order() -> None:
    first = replace(SETTINGS, ties="first")
    assert joined([track(LEFT), track(RIGHT)], first)[1].chosen == 0
    assert joined([track(RIGHT), track(LEFT)], first)[1].chosen == 0
    evidence, choice = joined([track(LEFT), track(RIGHT)])
    assert choice.chosen == 1
    assert rejoin(stored(evidence), first).chosen == 0, "without the model, from what is kept"


def test_a_higher_score_needs_no_tie() -> None:
    """The smaller one is brighter by a hair more than rounding, and the other one's excess does not count."""
    evidence, _ = joined([track(LEFT), track(RIGHT)])
    assert best_track(np.array([9.0001, 9.0]), evidence, "excess") == 0


def test_the_confidences_may_have_any_scale() -> None:
    evidence, _ = joined([track(RIGHT), track(RIGHT), track(RIGHT)])
    scores = np.array([1e12, 2e12, 1e12])
    assert best_track(np.full(3, 9.0), replace(evidence, proposer_scores=scores), "excess") == 1


@pytest.mark.parametrize("swapped", [False, True])
def test_where_the_attention_is_the_same_too_the_surer_one_and_then_the_boxes_decide(swapped: bool) -> None:
    sure, unsure = track(RIGHT, 0.9), track(RIGHT, 0.4)
    pair = [sure, unsure][:: -1 if swapped else 1]
    assert pair[joined(pair)[1].chosen] is sure
    # On the same cells, not at the same place.
    near = [RIGHT[0] + 1e-7, *RIGHT[1:]]
    pair = [track(RIGHT), track(near)][:: -1 if swapped else 1]
    assert pair[joined(pair)[1].chosen].boxes[0, 0] == np.float32(RIGHT[0])
