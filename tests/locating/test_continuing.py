"""A track that ends too early goes on as another candidate, or ends."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.locating.continuing import continued
from stvg_core.tube import Track
from tests.locating.script import QUERY, grounder

BOX, NEAR, FAR = (0.1, 0.1, 0.3, 0.3), (0.12, 0.1, 0.32, 0.3), (0.5, 0.1, 0.7, 0.3)


def track(first: int, last: int, box: tuple[float, ...]) -> Track:
    return Track(np.array([first, last]), np.array([box, box]))


def ends(found: Track) -> tuple[int, int]:
    return int(found.frames[0]), int(found.frames[-1])


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], (50, 100)), ([track(110, 200, NEAR)], (50, 200)), ([track(80, 200, NEAR)], (50, 200)),
        ([track(110, 200, FAR)], (50, 100)), ([track(120, 200, NEAR)], (50, 100)), ([track(60, 90, NEAR)], (50, 100)),
        ([track(0, 45, NEAR), track(105, 140, NEAR), track(150, 180, NEAR), track(190, 240, BOX)], (0, 240)),
    ],
)  # fmt: skip
def test_both_ways(others: list[Track], expected: tuple[int, int]) -> None:
    own = track(50, 100, BOX)
    found = continued(own, others, 0, 249)
    assert ends(found) == expected and np.allclose(found.at(np.array([50, 100])), [BOX, BOX])
    assert continued(own, others, 60, 90) is own, "it lasts as long as is asked for"


def test_the_better_of_two_goes_on() -> None:
    found = continued(track(50, 100, BOX), [track(101, 150, (0.15, 0.1, 0.35, 0.3)), track(101, 160, BOX)], 50, 200)
    np.testing.assert_allclose(found.at(np.array([130]))[0], BOX, atol=1e-6)


def test_the_answer_lasts_as_long_as_the_model_says() -> None:
    parts = [track(0, 100, BOX), track(105, 249, NEAR)]
    made, _, _ = grounder("marks", '{"number": 1, "start": 2, "end": 6}', tracks=parts)
    found = made.ground("clip.mp4", QUERY)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (50, 150)
    np.testing.assert_allclose(found.tube.boxes[-1], NEAR, atol=1e-6)
