"""The interval of a followed object holds the frame on which it was drawn, by either rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.method.interval import ends, interval, maximum_sum_segment, slot_of, slot_span_to_frames, top_k_span
from stvg_core.settings import GroundingSettings


def test_the_best_segment_is_sought_among_those_that_hold_the_slot() -> None:
    scores = np.array([0, 1, 0, 0, 1, 1, 1, 0.0])
    assert maximum_sum_segment(scores, 0.5) == (4, 6)
    assert maximum_sum_segment(scores, 0.5, 1) == (1, 6)
    assert maximum_sum_segment(scores, 0.8, 1) == (1, 1)
    assert maximum_sum_segment(scores, 0.5, 5) == (4, 6)
    assert maximum_sum_segment(np.ones(3), 0.5, 1) == (0, 2)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10), st.floats(0.05, 0.95), st.data())
def test_no_other_segment_through_the_slot_is_better(values: list[float], centre: float, data: st.DataObject) -> None:
    scores, through = np.array(values), data.draw(st.integers(0, len(values) - 1))
    first, last = maximum_sum_segment(scores, centre, through)
    assert first <= through <= last
    if scores.max() > scores.min():
        gains = scores - (scores.min() + centre * (scores.max() - scores.min()))
        best = max(gains[a : b + 1].sum() for a in range(through + 1) for b in range(through, len(values)))
        assert gains[first : last + 1].sum() == pytest.approx(best)


def test_the_slot_counts_as_one_of_the_k_best() -> None:
    scores = np.array([0, 3, 0, 2, 1, 0.0])
    assert top_k_span(scores, 2, 5) == (1, 5)
    assert top_k_span(scores, 1, 0) == (0, 0)
    assert top_k_span(scores, 2, 1) == top_k_span(scores, 2) == (1, 3)


def test_both_rules_are_told_the_slot() -> None:
    scores = np.array([3, 2, 0, 0.0])
    for rule in ("segment", "top_k"):
        settings = replace(GroundingSettings(), interval=rule, top_k=2, n_slots=4)
        assert interval(scores, settings) == (0, 1) and interval(scores, settings, 3) == (0, 3)


@pytest.mark.parametrize("slots", [[5, 15, 25, 35], [0, 1, 2, 3], [7], [0, 3, 4, 30]])
def test_every_frame_has_the_slot_whose_frames_it_is_among(slots: list[int]) -> None:
    for frame in range(40):
        slot = slot_of(np.array(slots), frame)
        start, end = slot_span_to_frames(np.array(slots), slot, slot, 0, 39)
        assert start <= frame <= end


@pytest.mark.parametrize("rule", ["segment", "top_k"])
@pytest.mark.parametrize("frame", [10, 17, 29])
def test_the_ends_hold_the_frame(rule: str, frame: int) -> None:
    settings = replace(GroundingSettings(), interval=rule, top_k=2)
    scores, slots = np.array([0.9, 0.1, 0, 0, 0.2]), np.array([12, 16, 20, 24, 28])
    start, end = ends(scores, slots, (10, 29), settings, frame)
    assert 10 <= start <= frame <= end <= 29
    assert interval(scores, settings) == interval(scores, settings, None)
