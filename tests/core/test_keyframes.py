"""Thinning keeps what it promises, on the tubes that are awkward: still, cut at the border, shaking, one frame."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stvg_core.boxes import box_iou
from stvg_core.keyframes import Keyframe, expand, simplify
from stvg_core.tube import Tube


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.sampled_from([0.5, 0.9, 1.0]))
def test_any_tube_however_wild(seed: int, length: int, bound: float) -> None:
    corners = np.sort(np.random.default_rng(seed).uniform(-0.3, 1.3, (length, 2, 2)), axis=1).reshape(-1, 4)
    tube = Tube(seed % 100, corners)
    keys = simplify(tube, bound)
    again = expand(keys)
    assert (keys[0].frame, keys[-1].frame) == (tube.start_frame, tube.end_frame)
    assert box_iou(again.boxes, tube.boxes).min() >= bound
    assert [key.frame for key in simplify(again, 1.0)] == sorted({key.frame for key in simplify(again, 1.0)})


@pytest.mark.parametrize(("length", "keys"), [(1, 1), (2, 2), (50, 2)])
def test_a_box_that_stands_still_needs_its_ends_only(length: int, keys: int) -> None:
    assert len(simplify(Tube(3, np.tile([0.1, 0.2, 0.3, 0.4], (length, 1))))) == keys


def test_a_straight_line_needs_its_two_ends_and_a_bend_one_more() -> None:
    share = np.linspace(0, 1, 41)[:, None]
    boxes = np.array([0.1, 0.1, 0.2, 0.2]) * (1 - share) + np.array([0.6, 0.5, 0.8, 0.7]) * share
    assert [k.frame for k in simplify(Tube(7, boxes), 0.95)] == [7, 47]
    bend = np.concatenate([boxes, boxes[-2::-1]])
    frames = [k.frame for k in simplify(Tube(0, bend), 0.9)]
    assert len(frames) == 3
    assert frames[1] == pytest.approx(40, abs=3)


def test_impossible_keyframes() -> None:
    box = np.array([0, 0, 0.1, 0.1])
    for keyframes in ([], [Keyframe(3, box), Keyframe(3, box)]):
        with pytest.raises(ValueError, match="keyframes"):
            expand(keyframes)
    with pytest.raises(ValueError, match="min_iou"):
        simplify(Tube(0, box[None]), 0.0)
