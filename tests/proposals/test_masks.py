from __future__ import annotations

import numpy as np
import pytest
import torch

from stvg_core.proposals.masks import MASK_SIDE, box_and_mask, mask_in_box


def test_a_mask_that_fills_its_box() -> None:
    mask = np.zeros((40, 60), bool)
    mask[10:30, 15:45] = True
    found = mask_in_box(mask, np.array([15 / 60, 10 / 40, 45 / 60, 30 / 40]))
    assert found.shape == (MASK_SIDE, MASK_SIDE) and found.dtype == np.uint8
    assert found.min() == 255


@pytest.mark.parametrize("size", [(160, 320), (37, 53), (8, 6)])
def test_shares_are_exact_whatever_the_pictures_size(size: tuple[int, int]) -> None:
    """The left third of the box, which ends inside of a pixel and of a part: areas add up all the same."""
    width = size[1]
    mask = np.zeros(size, bool)
    mask[:, : width // 3] = True
    box = np.array([0.0, 0.0, 1.0, 1.0])
    found = mask_in_box(mask, box) / 255
    assert found.mean() == pytest.approx(width // 3 / width, abs=1 / 255)
    assert (found == found[0]).all() and (np.diff(found[0]) <= 0).all()
    assert ((found > 0) & (found < 1)).sum() <= MASK_SIDE, "one part of each row lies on the edge"


def test_what_lies_outside_of_the_box_is_left_out() -> None:
    mask = np.zeros((32, 32), bool)
    mask[:16] = True
    found = mask_in_box(mask, np.array([0.25, 0.25, 0.75, 0.75]))
    np.testing.assert_array_equal(found, np.repeat(np.uint8([[255], [0]]), 8, axis=0).repeat(MASK_SIDE, axis=1))
    assert not mask_in_box(mask, np.array([0.25, 0.75, 0.5, 1.0])).any()


def test_a_speck_is_a_mask_all_the_same() -> None:
    mask = np.zeros((2000, 2000), bool)
    mask[1000, 1000] = True
    found = mask_in_box(mask, np.array([0.0, 0.0, 1.0, 1.0]))
    assert found.sum() == 1


def test_specks_are_neither_in_the_box_nor_in_the_mask() -> None:
    logits = torch.full((64, 64), -1.0)
    logits[10:30, 10:14] = 1.0
    logits[60, 60] = 1.0
    box, mask = box_and_mask(logits, (64, 64))
    np.testing.assert_allclose(box, np.array([10, 10, 14, 30]) / 64)
    assert mask.sum() == 80 and not mask[60, 60]
    box, mask = box_and_mask(torch.full((64, 64), -1.0), (64, 64))
    assert np.isnan(box).all() and not mask.any()
