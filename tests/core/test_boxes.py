from __future__ import annotations

import numpy as np
import pytest

from stvg_core.boxes import box_iou

UNIT = np.array([0.0, 0.0, 1.0, 1.0])


def test_known_values() -> None:
    a = np.array([[0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0.5, 1]])
    b = np.array([[0.5, 0, 1.5, 1], [0, 0, 0, 0], [1, 1, 1, 1], [0.5, 0, 1, 1]])
    np.testing.assert_allclose(box_iou(a, b), [1 / 3, 1, 0, 0])


def test_a_part_is_wholly_in_the_smaller_box() -> None:
    part, beside = np.array([0.5, 0.0, 1.0, 0.5]), np.array([0.5, 0.0, 1.5, 1.0])
    assert box_iou(UNIT, part) == 0.25 and box_iou(UNIT, part, over="smaller") == 1.0
    assert box_iou(UNIT, beside, over="smaller") == 0.5 == box_iou(beside, UNIT, over="smaller")


@pytest.mark.parametrize("over", ["union", "smaller"])
def test_boxes_that_are_none_share_nothing(over: str) -> None:
    empty, turned, absent = [0.5, 0.5, 0.5, 0.9], [1.0, 1.0, 0.0, 0.0], [np.nan] * 4
    found = box_iou(np.array([empty, turned, absent, absent]), np.array([UNIT, UNIT, UNIT, absent]), over=over)  # type: ignore[arg-type]
    assert found.tolist() == [0, 0, 0, 0]


def test_each_is_compared_with_each() -> None:
    random = np.random.default_rng(0)
    a, b = (np.sort(random.random((n, 2, 2)), axis=1).reshape(n, 4).astype(np.float32) for n in (3, 5))
    grid = box_iou(a[:, None], b)
    assert grid.shape == (3, 5) and grid.dtype == np.float64
    for row, one in enumerate(a):
        np.testing.assert_array_equal(grid[row], box_iou(np.tile(one, (5, 1)), b))
    assert box_iou(a, np.zeros((0, 4))[:, None]).shape == (0, 3)
