from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stvg_core.metrics import gt_viou, tiou, viou
from stvg_core.tube import Tube


@st.composite
def tubes(draw: st.DrawFn) -> Tube:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length = draw(st.integers(1, 80))
    knots = draw(st.integers(1, 8))
    at = np.linspace(0, length - 1, knots)
    centres = np.stack([np.interp(np.arange(length), at, rng.uniform(0.2, 0.8, knots)) for _ in range(2)], axis=1)
    halves = np.stack([np.interp(np.arange(length), at, rng.uniform(0.02, 0.2, knots)) for _ in range(2)], axis=1)
    noise = rng.normal(0, draw(st.sampled_from([0, 0.002, 0.02])), (length, 4))
    boxes = np.concatenate([centres - halves, centres + halves], axis=1) + noise
    boxes[:, 2:] = np.maximum(boxes[:, 2:], boxes[:, :2] + 0.01)
    return Tube(draw(st.integers(0, 50)), boxes)


def still(start: int, length: int, box: tuple[float, ...] = (0.0, 0.0, 0.5, 0.5)) -> Tube:
    return Tube(start, np.tile(box, (length, 1)))


def test_worked_example() -> None:
    truth, guess = still(0, 10), still(5, 10, (0.0, 0.0, 0.5, 0.25))
    assert tiou(guess, truth) == pytest.approx(5 / 15)
    assert viou(guess, truth) == pytest.approx(2.5 / 15)
    assert gt_viou(guess, truth) == pytest.approx(2.5 / 10)
    assert viou(still(20, 3), truth) == 0.0 == tiou(still(20, 3), truth)


@given(tubes(), tubes())
def test_bounds_and_symmetry(a: Tube, b: Tube) -> None:
    assert 0 <= viou(a, b) <= tiou(a, b) <= 1
    assert viou(a, b) == pytest.approx(viou(b, a))
    assert viou(a, a) == pytest.approx(1.0) == gt_viou(a, a)
    assert viou(a, b) <= gt_viou(a, b) + 1e-12
