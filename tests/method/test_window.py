from __future__ import annotations

import pytest

from stvg_core.method.interval import window


@pytest.mark.parametrize(
    ("start", "end", "spacing", "n_frames", "seen"),
    [
        (100, 139, 10.0, 400, (70, 169)),  # a margin of three sampled frames is more than half of 40 frames
        (100, 199, 5.0, 600, (50, 249)),  # half of the interval's length on both sides
        (100, 200, 5.0, 600, (50, 250)),  # half of 101 is 50: of two equally near, the even one
        (0, 39, 10.0, 400, (0, 69)),  # cut at the video's start
        (380, 399, 10.0, 400, (350, 399)),  # and at its end
        (50, 350, 10.0, 400, None),  # nearly the whole video again
        (5, 9, 1.0, 20, None),  # every frame was seen already
    ],
)
def test_window(start: int, end: int, spacing: float, n_frames: int, seen: tuple[int, int] | None) -> None:
    assert window(start, end, spacing, 0, n_frames - 1) == seen


@pytest.mark.parametrize(
    ("start", "end", "spacing", "seen"),
    [
        (110, 119, 1.5, (105, 124)),  # half of 10 frames on both sides, more than three of 1.5
        (130, 169, 5.0, (110, 189)),  # four fifths of all are still worth it
        (130, 170, 5.0, None),  # half of 41 is 20: 81 of 100 are not
        (105, 109, 2.0, (100, 115)),  # three of 2 frames
        (190, 194, 2.0, (184, 199)),
    ],
)
def test_window_of_a_part(start: int, end: int, spacing: float, seen: tuple[int, int] | None) -> None:
    """Of frames 100 to 199."""
    assert window(start, end, spacing, 100, 199) == seen


def test_four_fifths_are_counted_exactly() -> None:
    """80 of 99 frames are more than 79.2, and 79 are not."""
    assert window(130, 169, 5.0, 100, 198) is None
    assert window(130, 168, 5.0, 100, 198) == (110, 188)
    assert window(131, 169, 5.0, 100, 198) == (111, 189)
