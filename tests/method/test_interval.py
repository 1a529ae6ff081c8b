from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.method.interval import (
    cut,
    interval,
    maximum_sum_segment,
    score_of,
    share_of,
    slot_span_to_frames,
    top_k_span,
)
from stvg_core.query import as_statement
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Track


@pytest.mark.parametrize(
    ("scores", "span"),
    [
        ([0, 0, 1, 1, 1, 0], (2, 4)),
        ([0, 1, 0.4, 1, 0], (1, 3)),  # a short dip is bridged
        ([1, 0, 0, 0, 1, 1], (4, 5)),  # a long gap is not
        ([0.3, 0.3, 0.3], (0, 2)),  # nothing speaks for a shorter interval
        ([5.0], (0, 0)),
    ],
)
def test_maximum_sum_segment(scores: list[float], span: tuple[int, int]) -> None:
    assert maximum_sum_segment(np.array(scores, dtype=float), 0.5) == span


def test_centred_at_the_highest_score_that_slot_is_left() -> None:
    assert maximum_sum_segment(np.array([0, 0.5, 1, 0.5]), 1.0) == (2, 2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.floats(0.05, 0.95))
def test_no_other_segment_is_better(values: list[float], centre: float) -> None:
    scores = np.array(values)
    first, last = maximum_sum_segment(scores, centre)
    gains = scores - (scores.min() + centre * (scores.max() - scores.min()))
    if scores.max() > scores.min():
        best = max(gains[a : b + 1].sum() for a in range(len(values)) for b in range(a, len(values)))
        assert gains[first : last + 1].sum() == pytest.approx(best)


@pytest.mark.parametrize(("seen", "k"), [(20, 7), (10, 4), (5, 2), (1, 1), (40, 7)])
def test_k_is_a_share_where_fewer_slots_were_looked_at(seen: int, k: int) -> None:
    """A short memory halves the slots: 7 of 20 are not 7 of 10."""
    assert share_of(7, 20, seen) == k
    scores = np.zeros(seen)
    scores[:k] = 1.0
    settings = GroundingSettings(interval="top_k", top_k=7, n_slots=20)
    assert interval(scores, settings) == (0, k - 1)
    assert share_of(2, 20, 3) == 1, "never none"


def test_top_k_is_the_papers_rule() -> None:
    assert top_k_span(np.array([0, 3, 0, 2, 1, 0.0]), 2) == (1, 3)
    assert top_k_span(np.repeat([0.0, 1.0, 0.0], 40), 3) == (40, 42), "of equal ones the first"


def test_slots_become_frames_halfway() -> None:
    slots = np.array([5, 15, 25, 35])
    assert slot_span_to_frames(slots, 1, 2, 0, 39) == (11, 30)
    assert slot_span_to_frames(slots, 0, 3, 0, 39) == (0, 39)
    spans = [slot_span_to_frames(slots, i, i, 0, 39) for i in range(4)]
    assert spans[0][0] == 0 and spans[-1][1] == 39
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans))


def test_a_clear_answer_is_more_confident_than_a_close_one() -> None:
    frames = np.array([0.1, 1.0, 1.0, 0.1])
    clear = score_of(1.0, np.array([0.1]), frames, 1, 2)
    close = score_of(1.0, np.array([0.9, 0.2]), frames, 1, 2)
    assert 0 <= close < clear <= 1
    assert score_of(1.0, np.empty(0), np.array([1.0]), 0, 0) == 1.0
    assert score_of(0.0, np.zeros(1), np.zeros(3), 0, 2) == 0.0


@pytest.mark.parametrize(
    ("best", "rivals", "first", "last", "squared"),
    [
        (0.8, [0.2, 0.6], 1, 2, 0.25 * 0.5),  # 1 - .6 / .8; inside .6, outside .2
        (0.8, [0.2, 0.6], 0, 3, 0.25),  # nothing outside
        (0.8, [], 1, 2, 0.5),  # no rival
        (0.5, [0.9], 1, 2, 0.0),  # a rival above it
        (0.8, [], 0, 0, 0.0),  # .1 inside, more outside
        (0.8, [], 3, 3, 0.0),
        (0.8, [], 2, 3, 0.25),  # inside .5, outside .3
    ],
)
def test_the_score_is_the_root_of_two_margins(
    best: float, rivals: list[float], first: int, last: int, squared: float
) -> None:
    frames = np.array([0.1, 0.5, 0.7, 0.3])
    assert score_of(best, np.array(rivals), frames, first, last) == pytest.approx(np.sqrt(squared))


def test_a_tube_ends_where_its_track_ends() -> None:
    track = Track(np.array([10, 20]), np.array([[0, 0, 0.2, 0.2], [0.5, 0.5, 0.7, 0.7]]))
    tube = cut(track, 5, 15)
    assert (tube.start_frame, tube.end_frame) == (10, 15)
    np.testing.assert_allclose(tube.boxes[-1], [0.25, 0.25, 0.45, 0.45], atol=1e-6)
    assert cut(track, 0, 4).start_frame == 10 == cut(track, 0, 4).end_frame
    assert cut(track, 30, 40).start_frame == 20
    longer = Track(np.array([10, 20, 30]), np.tile(np.float32([0, 0, 1, 1]), (3, 1)))
    assert (cut(longer, 0, 40).start_frame, cut(longer, 0, 40).end_frame) == (10, 30)
    assert cut(longer, 35, 40).start_frame == 30 == cut(longer, 35, 40).end_frame


def test_statements_end_in_a_full_stop() -> None:
    assert as_statement("a red circle") == "a red circle."
    assert as_statement("who runs?") == "who runs?"
