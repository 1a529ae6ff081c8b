from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.method.tracks import cell_coverage


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((0.0, 0.0, 0.5, 0.5), [[1, 0], [0, 0]]),
        ((0.0, 0.0, 1.0, 0.25), [[0.5, 1.0], [0, 0]]),  # the centre's cell counts in full: x = 0.5 is the right one
        ((0.25, 0.0, 0.875, 0.5), [[0.5, 1.0], [0, 0]]),
        ((0.6, 0.6, 0.6001, 0.6001), [[0, 0], [0, 1.0]]),  # a speck still covers its cell
        ((-0.5, -0.5, 2.0, 2.0), [[1, 1], [1, 1]]),
        ((0.2, 1.0, 0.4, 1.0), [[0, 0], [1.0, 0]]),  # a line on the frame's lower border
        ((1.0, 0.2, 1.0, 0.4), [[0, 1.0], [0, 0]]),  # and on its right one
    ],
)
def test_known_boxes(box: tuple[float, ...], expected: list[list[float]]) -> None:
    np.testing.assert_allclose(cell_coverage(np.array(box), 2, 2), expected, atol=1e-9)


def test_a_centre_left_of_a_border_by_less_than_float32_can_hold_is_left_of_it() -> None:
    """From 2**-25 to 1 - 2**-24: the middle is .5 - 2**-26."""
    box = np.float32([2.0**-25, 0.0, 1 - 2.0**-24, 0.5])
    np.testing.assert_allclose(cell_coverage(box, 1, 2), [[1.0, 0.5]], rtol=1e-6)


def test_an_absent_track_covers_nothing() -> None:
    boxes = np.array([[[0.1, 0.1, 0.2, 0.2], [np.nan] * 4]])
    coverage = cell_coverage(boxes, 6, 6)
    assert coverage.shape == (1, 2, 6, 6)
    assert coverage[0, 0].max() == 1.0
    assert coverage[0, 1].max() == 0.0


corner = st.floats(0, 1)


@given(corner, corner, corner, corner, st.integers(1, 9), st.integers(1, 9))
def test_areas_add_up_but_for_the_centres_cell(x: float, y: float, u: float, v: float, h: int, w: int) -> None:
    box = np.array([min(x, u), min(y, v), max(x, u), max(y, v)])
    coverage = cell_coverage(box, h, w)
    assert coverage.min() >= 0 and coverage.max() == 1.0
    area = (box[2] - box[0]) * (box[3] - box[1]) * h * w
    assert area - 1e-9 <= coverage.sum() <= area + 1 + 1e-9


def test_peak_counts_what_a_small_box_covers_beside_its_centre() -> None:
    """Its largest share is that of the cell under its centre, so the other cell counts by what it has of that."""
    box = np.array([0.05, 0.0, 0.6, 0.1])  # .9 and .2 of two cells' widths, .2 of their height
    np.testing.assert_allclose(cell_coverage(box, 2, 2), [[1.0, 0.04], [0.0, 0.0]])
    np.testing.assert_allclose(cell_coverage(box, 2, 2, rule="peak"), [[1.0, 0.2 / 0.9], [0.0, 0.0]])
    assert cell_coverage(np.array([0.3, 0.3, 0.3, 0.3]), 2, 2, rule="peak").tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert (cell_coverage(np.full(4, np.nan), 2, 2, rule="peak") == 0).all()
