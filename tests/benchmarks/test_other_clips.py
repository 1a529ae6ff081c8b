"""What the measurement on other clips counts as saved, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.other_clips import Row, edits, gains, saved, summary
from stvg_core.tube import Track, Tube

FPS = 20.0


def straight() -> Track:
    """A box of a fifth of the picture that goes sideways on frames 0 to 99."""
    x = np.linspace(0.1, 0.7, 100)
    return Track(np.arange(100), np.stack([x, 0 * x + 0.4, x + 0.2, 0 * x + 0.6], axis=1))


def tube(first: int, last: int, off: float = 0.0) -> Tube:
    return Tube(first, straight().at(np.arange(first, last + 1)) + np.array([off, 0, off, 0]))


def test_an_end_that_is_near_enough_costs_nothing_for_who_is_content_with_it() -> None:
    truth, near, far = tube(20, 60), tube(16, 65), tube(14, 65)
    assert edits(truth, truth, straight(), FPS, 0.9, 0.0) == (0, 2)
    assert edits(near, truth, straight(), FPS, 0.9, 0.0) == (2, 2), "both ends are moved"
    assert edits(near, truth, straight(), FPS, 0.9, 0.25) == (0, 2), "four and five frames at 20 per second"
    assert edits(far, truth, straight(), FPS, 0.9, 0.25) == (1, 2), "six frames are too many"


def test_a_box_that_is_near_enough_costs_nothing_either() -> None:
    truth = tube(20, 60)
    shifted = tube(20, 60, off=0.015)  # IoU .86
    assert edits(shifted, truth, straight(), FPS, 0.8, 0.0) == (0, 2)
    assert edits(shifted, truth, straight(), FPS, 0.9, 0.0) == (2, 2)
    assert edits(None, truth, straight(), FPS, 0.9, 0.0) == (2, 2), "without a suggestion nothing is saved"


def row(number: int, viou: float, lenient: tuple[int, int], right: bool = True) -> Row:
    return Row(number, "", right, viou, viou, viou if right else None, 0.1, -0.4, lenient, lenient, 1.0, 2.0)


def test_the_summary_is_over_all_clips_and_shares_are_of_the_sums() -> None:
    rows = [row(0, 0.9, (0, 2)), row(1, 0.5, (4, 8)), row(2, 0.1, (3, 2), right=False)]
    found = summary(rows)
    assert found["m_viou"] == 0.5 and found["box_iou"] == 0.7 and found["right"] == pytest.approx(2 / 3, abs=1e-4)
    assert (
        found["saved_lenient"] == pytest.approx(1 - 7 / 12, abs=1e-4) == pytest.approx(saved(rows, "lenient"), abs=1e-4)
    )
    assert found["ends_within_quarter_s"] == 0.5


def test_gains_are_of_the_same_clips() -> None:
    before, now = [row(0, 0.2, (2, 2)), row(1, 0.4, (2, 2))], [row(0, 0.3, (0, 2)), row(1, 0.5, (1, 2))]
    found = gains(now, before)
    assert found["viou"] == (0.1, 0.1, 0.1), "each gained a tenth, whichever are drawn"
    assert found["saved_lenient"][0] == 0.75 and found["saved_lenient"][1] == 0.5 and found["saved_lenient"][2] == 1.0
