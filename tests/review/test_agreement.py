"""Several people on one task: who agrees with whom, what most of them mean, who stands apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.review.agreement import Opinion, agree, consensus, outliers
from backend.review.drawn_tube import Drawn, overlap
from tests.review.tubes import cut, drawns, moving, whole


def test_one_of_three_stands_apart() -> None:
    found = agree(
        [
            Opinion(1, 11, whole(10, 30)),
            Opinion(2, 12, whole(11, 30, x=0.11)),
            Opinion(3, 13, whole(10, 30, x=0.7)),
        ]
    )
    assert found.outliers == (2,)
    assert found.pairs[0, 2] == 0 and found.pairs[0, 1] == pytest.approx(
        overlap(whole(10, 30), whole(11, 30, x=0.11)).viou
    )
    assert found.means[0] == pytest.approx(found.pairs[0, 1] / 2) and found.worst == 0
    assert found.mean == pytest.approx(found.pairs[0, 1] / 3)


@pytest.mark.parametrize(
    ("pairs", "apart"),
    [
        ([[1, 0], [0, 1]], ()),  # of two, nobody
        ([[1, 0.2, 0.2], [0.2, 1, 0.2], [0.2, 0.2, 1]], ()),  # all disagree
        ([[1, 0.9, 0.5], [0.9, 1, 0.5], [0.5, 0.5, 1]], ()),  # a little less is not apart
        ([[1, 0.9, 0.4], [0.9, 1, 0.4], [0.4, 0.4, 1]], (2,)),
        (np.kron(np.eye(2), np.full((2, 2), 0.9)) + 0.1 * np.eye(4), ()),  # two camps
    ],
)
def test_the_rule_for_outliers(pairs: object, apart: tuple[int, ...]) -> None:
    assert outliers(np.array(pairs, dtype=float)) == apart


def test_the_majority_decides_frame_by_frame_and_the_box_is_the_median() -> None:
    shared = consensus([whole(0, 10, x=0.1), whole(5, 20, x=0.2), whole(8, 30, x=0.6)])
    assert shared is not None and shared.intervals == ((5, 20),)
    assert shared.tube.boxes[5, 0] == pytest.approx(0.2), "frame 10: the median of three"
    assert shared.tube.boxes[0, 0] == pytest.approx(0.15), "frame 5: of the two who show it"
    broken = cut(moving(0, 20), ((0, 5), (15, 20)))
    held = consensus([broken, broken, whole(0, 20)])
    assert held is not None and held.intervals == ((0, 5), (15, 20))
    assert consensus([whole(0, 4), whole(6, 9)]) is None and consensus([None, None, whole(0, 4)]) is None


def test_two_who_see_nothing_agree() -> None:
    found = agree([Opinion(1, 1, None), Opinion(2, 2, None), Opinion(3, 3, whole(0, 9))])
    assert found.pairs[0, 1] == 1 and found.pairs[0, 2] == 0 and found.consensus is None and found.outliers == (2,)
    with pytest.raises(ValueError, match="two opinions"):
        agree([Opinion(1, 1, None)])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.one_of(st.none(), drawns()), min_size=1, max_size=5))
def test_any_consensus(drawn: list[Drawn | None]) -> None:
    shared = consensus(drawn)
    tubes = [tube for tube in drawn if tube is not None]
    for frame in range(40):
        votes = [tube for tube in tubes if tube.on(frame, frame)[1][0]]
        inside = shared is not None and bool(shared.on(frame, frame)[1][0])
        assert inside == (2 * len(votes) > len(drawn))
        if inside and shared is not None:
            box, all_boxes = shared.on(frame, frame)[0][0], np.stack([tube.on(frame, frame)[0][0] for tube in votes])
            assert np.allclose(box, np.median(all_boxes, axis=0), atol=1e-6)
            assert box[0] <= box[2] and box[1] <= box[3]


@settings(deadline=None, max_examples=40)
@given(drawns(), st.integers(2, 5))
def test_people_who_agree(tube: Drawn, n: int) -> None:
    found = agree([Opinion(number, number, tube) for number in range(n)])
    assert found.mean == 1 and found.outliers == () and found.consensus is not None
    assert overlap(found.consensus, tube).viou == pytest.approx(1, abs=1e-5)
