"""A track with a mask covers the cells that its mask covers, wherever the model looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.calibration.rejoin import CannotRejoin, rejoin
from stvg_core.method.evidence import Evidence, Rows
from stvg_core.method.join import Choice, join, second_look_of, second_scores
from stvg_core.method.maps import maps
from stvg_core.method.tracks import cell_coverage, covered_cells, mask_shares
from stvg_core.mllm.pixels import into_window
from stvg_core.settings import GroundingSettings
from stvg_core.tube import NO_MASK, Array, Track
from tests.calibration.planted import stored

BOXES = GroundingSettings(
    n_slots=2, tas=False, attention="raw", role_tokens="token-1", decomposer="rules", proposer="grounding_dino",
    tracking="all",
)  # fmt: skip
MASKS = replace(BOXES, coverage="mask")
SLOTS, FRAMES = np.array([2, 7]), 10
LEFT_HALF, LOWER_RIGHT = [[255, 0], [255, 0]], [[0, 0], [0, 255]]


def track(box: list[float], mask: list[list[int]] | None, score: float = 1.0) -> Track:
    """At frames 0 and 9."""
    masks = None if mask is None else np.tile(np.uint8(mask), (2, 1, 1))
    return Track(np.array([0, FRAMES - 1]), np.tile(np.float32(box), (2, 1)), score, masks=masks)


def whole(boxes: Array) -> Array:
    return boxes


def test_shares_are_exact() -> None:
    one = track([0.25, 0.0, 0.75, 0.5], LEFT_HALF)
    shares = mask_shares([one, track([0, 0, 1, 1], None)], np.array([3, 4]), whole, 2, 4)
    assert shares.shape == (2, 2, 2, 4) and shares.dtype == np.float16
    np.testing.assert_array_equal(shares[0, 0], [[0, 1, 0, 0], [0, 0, 0, 0]])
    assert np.isnan(shares[1]).all(), "no mask"
    half = mask_shares([track([0.125, 0.0, 0.625, 0.25], LEFT_HALF)], SLOTS, whole, 2, 4)[0, 0]
    np.testing.assert_array_equal(half, [[0.25, 0.25, 0, 0], [0, 0, 0, 0]])
    np.testing.assert_array_equal(
        mask_shares([track([0, 0, 1, 1], [[51, 0], [0, 102]])], SLOTS, whole, 2, 2)[0, 0],
        np.float16([[0.2, 0], [0, 0.4]]),
    )


def test_nothing_is_kept_where_no_track_has_a_mask() -> None:
    assert mask_shares([track([0, 0, 1, 1], None)], SLOTS, whole, 2, 2).shape == (0, 0, 0, 0)
    nothing = mask_shares([], SLOTS, whole, 2, 2)
    assert nothing.shape == (0, 0, 0, 0) and nothing.dtype == np.float16


def test_a_view_cuts_the_mask_where_it_cuts_the_frame() -> None:
    """The model sees the middle half of the width; the box reaches out of it on the left, and its mask too."""

    def view(boxes: Array) -> Array:
        return into_window(boxes, (0.25, 0.0), (0.5, 1.0))

    (shares,) = mask_shares([track([0.0, 0.0, 1.0, 1.0], LEFT_HALF)], SLOTS, view, 2, 4)
    np.testing.assert_array_equal(shares[0], [[1, 1, 0, 0], [1, 1, 0, 0]])
    (outside,) = mask_shares([track([0.0, 0.0, 0.5, 1.0], LEFT_HALF)], SLOTS, view, 2, 4)
    np.testing.assert_array_equal(outside, np.zeros((2, 2, 4))), "a mask that cannot be seen covers nothing"


def test_between_two_frames_the_nearer_mask_counts_and_outside_of_the_track_none() -> None:
    masks = np.uint8([LEFT_HALF, LOWER_RIGHT])
    one = Track(np.array([2, 6]), np.tile(np.float32([0, 0, 1, 1]), (2, 1)), masks=masks)
    found = one.masks_at(np.array([1, 2, 4, 5, 6, 7]))
    assert found is not None
    assert [part.tolist() for part in found] == [[[0, 0], [0, 0]], LEFT_HALF, LEFT_HALF, LOWER_RIGHT, LOWER_RIGHT,
                                                 [[0, 0], [0, 0]]]  # fmt: skip
    assert track([0, 0, 1, 1], None).masks_at(SLOTS) is None


def test_where_a_track_is_absent_its_mask_is_unknown_and_elsewhere_it_counts() -> None:
    one = Track(
        np.array([2, 6]), np.tile(np.float32([0, 0, 1, 1]), (2, 1)), masks=np.tile(np.uint8(LEFT_HALF), (2, 1, 1))
    )
    (shares,) = mask_shares([one], np.array([1, 4]), whole, 2, 2)
    assert np.isnan(shares[0]).all()
    np.testing.assert_array_equal(shares[1], [[1, 0], [1, 0]])


def test_the_parts_of_a_box_are_seen_as_exactly_as_the_box_is_known() -> None:
    """Two rows and two columns of a box from (.1, .3) to (.8, .7), with all digits of its float32 numbers."""
    asked: list[Array] = []

    def view(boxes: Array) -> Array:
        asked.append(boxes)
        return boxes

    mask_shares([track([0.1, 0.3, 0.8, 0.7], LEFT_HALF)], np.array([0]), view, 2, 2)
    x1, y1, x2, y2 = (float(np.float32(number)) for number in (0.1, 0.3, 0.8, 0.7))
    x, y = x1 + (x2 - x1) / 2, y1 + (y2 - y1) / 2
    ((parts,),) = asked
    assert parts.tolist() == [[[x1, y1, x, y], [x, y1, x2, y]], [[x1, y, x, y2], [x, y, x2, y2]]]


@pytest.mark.parametrize(
    "masks", [np.zeros((1, 2, 2), np.uint8), np.zeros((2, 2, 2)), np.zeros((2, 4), np.uint8)], ids=["n", "type", "flat"]
)
def test_masks_that_do_not_fit_their_track_are_refused(masks: Array) -> None:
    with pytest.raises(ValueError, match="masks are"):
        Track(np.array([0, 9]), np.zeros((2, 4), np.float32), masks=masks)


def test_the_cell_with_the_largest_share_counts_in_full_and_a_box_where_there_is_no_mask() -> None:
    seen = np.tile(np.float32([0.0, 0.0, 1.0, 0.5]), (2, 1, 1))
    masks = np.stack([np.float16([[[0.25, 0.5], [0, 0]]]), np.full((1, 2, 2), np.nan, np.float16)])
    found = covered_cells(seen, masks, 2, 2, "mask")
    np.testing.assert_array_equal(found[0, 0], [[0.25, 1.0], [0, 0]])
    np.testing.assert_array_equal(found[1], cell_coverage(seen[1], 2, 2))
    empty = covered_cells(seen, np.zeros((2, 1, 2, 2), np.float16), 2, 2, "mask")
    assert empty.max() == 0
    for rule in ("fraction", "peak"):
        np.testing.assert_array_equal(covered_cells(seen, masks, 2, 2, rule), cell_coverage(seen, 2, 2, rule=rule))
    with pytest.raises(ValueError, match="not by mask"):
        cell_coverage(seen, 2, 2, rule="mask")


def test_in_each_slot_one_cell_counts_in_full() -> None:
    masks, seen = np.float16([[[[0.5], [0.25]], [[0.75], [0.125]]]]), np.zeros((1, 2, 4))
    assert covered_cells(seen, masks, 2, 1, "mask").tolist() == [[[[1.0], [0.25]], [[1.0], [0.125]]]]


ATTENTION = np.tile(np.float32([[1, 8, 3, 0], [0, 0, 6, 0]]), (2, 1, 1))
"""The brightest cell lies in both boxes, but only in one of the masks."""


def joined(tracks: list[Track], settings: GroundingSettings) -> tuple[Evidence, Choice]:
    spatial = ATTENTION[None]
    rows = Rows(spatial, spatial, np.ones_like(spatial))
    return join(rows, maps(rows, settings), tracks, SLOTS, whole, FRAMES, settings, 0.0)


def people() -> list[Track]:
    """Before the brightest cell: one whose mask is beside it, and one whose mask is on it."""
    return [track([0.25, 0.0, 0.75, 1.0], LOWER_RIGHT), track([0.0, 0.0, 0.5, 1.0], [[0, 255], [0, 0]])]


def test_masks_tell_apart_whose_boxes_share_the_brightest_cell() -> None:
    by_box, choice = joined(people(), BOXES)
    np.testing.assert_array_equal(by_box.track_scores, [8, 8])
    assert choice.chosen == 0, "17 of 18 lie in its box, 9 in the other one"
    by_mask, choice = joined(people(), MASKS)
    np.testing.assert_array_equal(by_mask.track_scores, [6, 8])
    assert choice.chosen == 1 and NO_MASK not in by_mask.info
    np.testing.assert_array_equal(by_mask.frame_scores, [[6, 6], [8, 8]])


def test_the_masks_are_kept_so_that_joining_again_needs_no_model() -> None:
    """Whichever way the tracks were scored at first."""
    for settings in (BOXES, MASKS):
        evidence = stored(joined(people(), settings)[0])
        assert evidence.masks.shape == (2, 2, 2, 4) and evidence.masks.dtype == np.float16
        assert rejoin(evidence, MASKS).chosen == 1 and rejoin(evidence, BOXES).chosen == 0
    without = stored(joined([track([0, 0, 1, 1], None)], BOXES)[0])
    assert without.masks.size == 0
    with pytest.raises(CannotRejoin, match="no masks"):
        rejoin(without, MASKS)


def test_a_second_look_has_its_own_masks() -> None:
    evidence, choice = joined(people(), MASKS)
    assert evidence.rows is not None
    second = second_look_of(evidence.rows, (0, 9), SLOTS, whole, people(), choice.chosen, people()[1])
    np.testing.assert_array_equal(second_scores(second, MASKS), evidence.frame_scores)
    kept = stored(replace(evidence, second=second)).second
    assert kept is not None
    np.testing.assert_array_equal(second_scores(kept, MASKS), evidence.frame_scores)
    np.testing.assert_array_equal(second_scores(kept, BOXES), [[8, 8], [8, 8]])


def test_who_has_no_mask_is_scored_by_the_box_and_counted() -> None:
    left, right = people()
    evidence, choice = joined([replace(left, masks=None), right], MASKS)
    np.testing.assert_array_equal(evidence.track_scores, [8, 8])
    assert evidence.info[NO_MASK] == 1 and choice.chosen == 0


def test_where_no_track_has_a_mask_all_are_scored_by_their_boxes() -> None:
    nobody = [replace(one, masks=None) for one in people()]
    evidence, choice = joined(nobody, MASKS)
    np.testing.assert_array_equal(evidence.track_scores, [8, 8])
    assert evidence.info[NO_MASK] == 2 and evidence.masks.size == 0 and choice.chosen == 0


@pytest.mark.parametrize("change", [{}, {"proposer": "grounding_dino"}, {"tracking": "all"}], ids=str)
def test_settings_under_which_there_are_no_masks_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="set proposer to grounding_dino and tracking to all"):
        GroundingSettings(coverage="mask", **change)  # type: ignore[arg-type]
