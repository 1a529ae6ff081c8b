from __future__ import annotations

from dataclasses import replace

import numpy as np

from stvg_core.method.evidence import Evidence
from stvg_core.method.tracks import best_track, decided_by, preference, same_object

WHOLE = np.tile([0.1, 0.1, 0.3, 0.3], (3, 1))
PART = np.tile([0.15, 0.15, 0.2, 0.2], (3, 1))
OTHER = np.tile([0.6, 0.6, 0.8, 0.8], (3, 1))
GONE = np.full((3, 4), np.nan)
BOXES = np.stack([PART, WHOLE, OTHER, GONE])


def test_parts_belong_together_and_others_do_not() -> None:
    assert same_object(BOXES, 0).tolist() == [True, True, False, False]
    assert same_object(BOXES, 2).tolist() == [False, False, True, False]
    assert same_object(BOXES, 3).tolist() == [False, False, False, True]


def test_tracks_that_never_meet_in_time_are_not_one() -> None:
    early, late = WHOLE.copy(), WHOLE.copy()
    early[1:], late[:1] = np.nan, np.nan
    assert same_object(np.stack([early, late]), 0).tolist() == [True, False]


def test_the_papers_rule_is_the_largest_score() -> None:
    totals, scores = np.array([1.0, 0.99, 0.5, 0.0]), np.array([0.1, 0.9, 1.0, 1.0])
    assert preference(totals, scores, 0.0).tolist() == totals.tolist()


def test_confidences_are_weighed_with_all_digits() -> None:
    found = preference(np.ones(1, np.float32), np.float32([0.1]), 0.5)
    assert found.tolist() == [float(np.float32(0.1)) ** 0.5]


def test_a_doubtful_track_must_be_brighter() -> None:
    totals, scores = np.array([1.0, 0.6, 0.5, 0.0]), np.array([0.2, 0.9, 1.0, 1.0])
    assert int(preference(totals, scores, 1.0).argmax()) == 1
    assert int(preference(totals, np.full(4, 0.3), 1.0).argmax()) == 0  # equal confidence changes nothing


def stored(totals: list[float], proposer: list[float] | None, chosen: int, **info: float) -> Evidence:
    """Evidence of tracks with these scores; without ``proposer`` as it was stored before that was kept."""
    n = len(totals)
    boxes, scores, maps = np.zeros((n, 1, 4), np.float32), np.array(totals), np.zeros((1, 1, 1))
    return Evidence(
        np.zeros(1, np.int64), boxes, scores, scores, scores, np.zeros((n, 1)), maps, maps, chosen, info=dict(info),
        proposer_scores=np.array(proposer or []),
    )  # fmt: skip


def test_what_is_shown_is_what_the_choice_went_by() -> None:
    """The track with the largest attention is not the chosen one; by the product it is."""
    found = decided_by(stored([0.9, 0.6], [0.5, 1.0], 1, proposer_weight=1.0))
    assert found is not None and found[1] == 1.0
    np.testing.assert_allclose(found[0], [0.45, 0.6])


def test_the_weight_that_was_set_counts_before_the_proposers_usual_one() -> None:
    found = decided_by(stored([0.9, 0.6], [0.5, 1.0], 0, proposer_weight=1.0, choice_weight=0.0))
    assert found is not None and found[1] == 0.0
    np.testing.assert_allclose(found[0], [0.9, 0.6])


def test_evidence_that_does_not_say_what_the_choice_went_by() -> None:
    assert decided_by(stored([0.9, 0.6], None, 1, proposer_weight=1.0)) is None
    assert decided_by(stored([0.9, 0.6], [0.5, 1.0], 1)) is None
    # From before the weight in force was kept, under another than the proposer's usual one.
    assert decided_by(stored([0.9, 0.6], [0.5, 1.0], 0, proposer_weight=1.0)) is None
    assert decided_by(stored([], [], -1, proposer_weight=1.0)) is None


def test_tracks_without_light_are_equally_good() -> None:
    found = decided_by(stored([0.0, 0.0], [0.5, 1.0], 0, choice_weight=1.0))
    assert found is not None and found[0].tolist() == [0.0, 0.0]


def test_half_of_the_smaller_box_is_enough() -> None:
    half, less = [0.25, 0, 0.75, 1], [0.375, 0, 0.875, 1]  # of a box as wide as the chosen one: .25 of .5, .125 of .5
    boxes = np.array([[[0, 0, 0.5, 1]], [half], [less]])
    assert same_object(boxes, 0).tolist() == [True, True, False]


def test_the_shares_of_boxes_are_averaged_over_the_slots_in_which_both_are() -> None:
    a, half, third, gone = [0, 0, 0.6, 1], [0.3, 0, 0.9, 1], [0.4, 0, 1, 1], [np.nan] * 4  # .3 and .2 of .6 are shared
    boxes = np.array([[a, a, a, gone], [a, gone, third, a], [third, half, half, a], [half, gone, half, half]])
    assert same_object(boxes, 0).tolist() == [True, True, False, True]


def test_of_tracks_that_are_tied_in_all_else_the_first_number_that_differs_decides() -> None:
    evidence = stored([1.0, 1.0], None, 0)
    left, low = np.float32([[[0.1, 0.1, 0.6, 0.6]], [[0.2, 0.1, 0.6, 0.5]]])
    outside, gone = np.float32([[-0.5, 0, 0.5, 1]]), np.full((1, 4), np.nan, np.float32)
    for first, second in ((left, low), (gone, outside), (gone, left)):
        for swapped in (False, True):
            boxes = np.stack([second, first] if swapped else [first, second])
            found = best_track(np.ones(2), replace(evidence, track_boxes=boxes), "excess")
            assert found == int(swapped), "an absent track comes before all boxes"


def test_a_choice_that_rounding_made_the_second_best_is_still_the_choice() -> None:
    found = decided_by(stored([0.9995, 1.0], [1.0, 1.0], 0, choice_weight=1.0))
    assert found is not None and found[0].tolist() == [0.9995, 1.0]
    assert decided_by(stored([0.9985, 1.0], [1.0, 1.0], 0, choice_weight=1.0)) is None
