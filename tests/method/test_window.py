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
