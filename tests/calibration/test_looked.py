"""What the model was seen to look at survives storage, small and near enough."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from stvg_core.errors import NonFiniteError
from stvg_core.grounding.dsth import Direction, Looks
from stvg_core.keeping import keep, keep_first, keep_second, restore
from stvg_core.looked import Rows
from stvg_core.tube import Track
from tests.calibration.planted import BOTH_WAYS, planted, stored, tracks


def test_float16_keeps_ratios_over_eight_decades() -> None:
    rows = np.logspace(-9, -1, 48).reshape(2, 2, 3, 4)
    one, _, neutral = Rows.of(rows, rows, rows / 7).unpacked()
    np.testing.assert_allclose(one, rows, rtol=6e-4)
    np.testing.assert_allclose(one / neutral, 7, rtol=2e-3)


@pytest.mark.parametrize("largest", [0.0, 1e-30, 1.0, 0.5, 3e4])
def test_any_scale_fits(largest: float) -> None:
    rows = np.full((1, 1, 2, 2), largest)
    kept = Rows.of(rows, rows, rows)
    assert np.isfinite(kept.spatial).all()
    np.testing.assert_allclose(kept.unpacked()[0], rows, rtol=6e-4)


def test_tokens_are_matched_from_the_end() -> None:
    rows, neutral = np.arange(1, 6.0).reshape(5, 1, 1, 1), np.ones((3, 1, 1, 1))
    kept = Rows.of(rows, rows, neutral)
    assert kept.unpacked()[0].ravel().tolist() == [3.0, 4.0, 5.0]


def test_equal_arrays_are_stored_once_and_come_back() -> None:
    evidence = planted(1, BOTH_WAYS).evidence
    assert evidence.looked is not None
    names = evidence.looked.to_arrays(evidence.track_boxes)
    assert "first.forward.temporal" not in names and "first.seen" not in names
    back = stored(evidence).looked
    assert back is not None and back.second is None and back.first.backward is not None
    np.testing.assert_array_equal(back.first.forward.temporal, evidence.looked.first.forward.spatial)
    np.testing.assert_array_equal(back.first.seen, evidence.track_boxes)
    np.testing.assert_array_equal(back.ends, [[0, 99], [0, 99]])


def test_the_view_and_the_second_look_are_kept_as_they_were() -> None:
    evidence = planted(2, BOTH_WAYS).evidence
    assert evidence.looked is not None and evidence.looked.first.backward is not None
    looks = restore(evidence.looked.first)
    seen = evidence.track_boxes.astype(np.float64) / 3
    evidence.looked.first = keep(looks, seen)
    dense = Track(np.array([20, 60]), np.array([[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4]]))
    slots = np.arange(20, 60, 4)
    evidence.looked.second = keep_second(looks, (18, 61), slots, lambda boxes: boxes / 2, tracks(), 1, dense)
    back = stored(evidence).looked
    assert back is not None and back.second is not None
    assert back.first.seen.dtype == np.float64
    np.testing.assert_array_equal(back.first.seen, seen)
    assert back.second.window == (18, 61)
    np.testing.assert_array_equal(back.second.boxes[1], dense.at(slots))
    np.testing.assert_array_equal(back.second.glance.seen, back.second.boxes / 2)


def test_a_temporal_look_of_its_own_is_kept() -> None:
    spatial, temporal, neutral = (torch.rand(2, 10, 4, 4) for _ in range(3))
    looked = keep_first(Looks(Direction(spatial, temporal, neutral, torch.zeros(1))), np.zeros((2, 10, 4)), tracks())
    evidence = replace(planted(3).evidence, looked=looked)
    back = stored(evidence).looked
    assert back is not None
    np.testing.assert_allclose(back.first.forward.unpacked()[1], temporal, rtol=1e-3)


def test_evidence_from_before_is_readable() -> None:
    before = replace(planted(4).evidence, looked=None)
    after = stored(before)
    assert after.looked is None
    np.testing.assert_array_equal(after.frame_scores, before.frame_scores)


def test_numbers_that_are_none_are_refused() -> None:
    rows = torch.ones(1, 1, 2, 2)
    rows[0, 0, 0, 0] = torch.nan
    with pytest.raises(NonFiniteError):
        keep(
            Looks(Direction(torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2), rows, torch.zeros(1))), np.zeros((1, 1, 4))
        )


def test_rows_of_a_big_model_take_some_hundred_kilobytes() -> None:
    """20 slots of 14 x 14 cells and 6 role tokens: both branches, both directions."""
    random = np.random.default_rng(0)
    shape = (6, 20, 14, 14)
    size = 0
    for _ in ("forward", "backward"):
        kept = Rows.of(*(random.lognormal(-9, 1.5, size=shape) for _ in range(3)))
        size += sum(rows.nbytes for rows in kept.to_arrays("x").values())
    assert size == pytest.approx(6 * np.prod(shape) * 2, abs=10)  # 282 KB before compression
