"""On which frames answers differ, in exact frames."""

from __future__ import annotations

import numpy as np

from backend.review.difference_frames import Stretch, stretches
from backend.review.drawn_tube import Drawn
from stvg_core.tube import Tube
from tests.review.tubes import whole


def elsewhere(first: int, last: int) -> Drawn:
    return Drawn.whole(Tube(first, np.tile(np.array([0.9, 0.9, 1.0, 1.0], np.float32), (last - first + 1, 1))))


def test_the_same_answers_differ_nowhere() -> None:
    assert stretches([whole(3, 9), whole(3, 9)]) == []
    assert stretches([]) == stretches([whole(3, 9)]) == stretches([None, None]) == []


def test_frames_that_one_of_two_shows() -> None:
    assert stretches([whole(3, 9), whole(5, 12)]) == [Stretch(3, 4, "alone"), Stretch(10, 12, "alone")]
    assert stretches([whole(0, 2), whole(5, 6)]) == [Stretch(0, 2, "alone"), Stretch(5, 6, "alone")]


def test_boxes_that_lie_apart() -> None:
    assert stretches([whole(3, 9), elsewhere(5, 9)]) == [Stretch(3, 4, "alone"), Stretch(5, 9, "drift")]


def test_one_who_says_it_is_not_there_differs_from_all() -> None:
    assert stretches([whole(3, 9), None]) == [Stretch(3, 9, "alone")]


def test_one_of_three_is_enough() -> None:
    found = stretches([whole(3, 9), whole(3, 9), elsewhere(8, 9)])
    assert found == [Stretch(3, 7, "alone"), Stretch(8, 9, "drift")]


def test_a_break_in_all_is_no_difference() -> None:
    broken = Drawn(whole(0, 9).tube, ((0, 2), (6, 9)))
    assert stretches([broken, broken]) == []
    assert stretches([broken, whole(0, 9)]) == [Stretch(3, 5, "alone")]
