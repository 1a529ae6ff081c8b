from __future__ import annotations

import numpy as np

from stvg_core.grounding.choose import preference, same_object

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


def test_a_doubtful_track_must_be_brighter() -> None:
    totals, scores = np.array([1.0, 0.6, 0.5, 0.0]), np.array([0.2, 0.9, 1.0, 1.0])
    assert int(preference(totals, scores, 1.0).argmax()) == 1
    assert int(preference(totals, np.full(4, 0.3), 1.0).argmax()) == 0  # equal confidence changes nothing
