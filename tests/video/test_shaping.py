"""A decoded picture's pixels are the same whatever the converter made before, in whatever form the decoder gives it."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from stvg_core.video.display import STORED, Orientation, Shown
from stvg_core.video.shaping import Shaper, shrunk_size

WIDTH, HEIGHT = 213, 121
FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le", "nv12", "gray", "rgb24", "gbrp",
    "yuva420p",
]  # fmt: skip


def shaper(orientation: Orientation = STORED) -> Shaper:
    return Shaper(Shown(orientation, WIDTH, HEIGHT, Fraction(1), 0, 1), "clip.mp4")


def pictures() -> list[av.VideoFrame]:
    """One of each form and matrix."""
    noise = np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    made = []
    for name in FORMATS:
        for colorspace in (1, 5, 9):  # BT.709, BT.601, BT.2020
            made.append(av.VideoFrame.from_ndarray(noise, format="rgb24").reformat(format=name))
            made[-1].colorspace = colorspace
    return made


@pytest.mark.parametrize("side", [None, 100, 33])
def test_one_converter_for_many_pictures_gives_what_a_new_one_for_each_gives(side: int | None) -> None:
    size = shrunk_size(WIDTH, HEIGHT, side)
    shared = shaper()
    for _ in range(2):
        for picture in pictures():
            alone = VideoReformatter().reformat(picture, format="rgb24", width=size[0], height=size[1])
            np.testing.assert_array_equal(shared.picture(picture, size), alone.to_ndarray(), picture.format.name)


def test_sizes_do_not_disturb_each_other() -> None:
    shared, picture = shaper(), pictures()[0]
    for side in (None, 100, None, 33, 100):
        size = shrunk_size(WIDTH, HEIGHT, side)
        np.testing.assert_array_equal(shared.picture(picture, size), shaper().picture(picture, size))


def test_a_picture_that_is_handed_out_stays_as_it_is() -> None:
    shared = shaper()
    one, other = pictures()[0], av.VideoFrame.from_ndarray(np.zeros((HEIGHT, WIDTH, 3), np.uint8), format="rgb24")
    first = shared.picture(one, (100, 57))
    before = first.copy()
    assert shared.picture(other.reformat(format="yuv420p"), (100, 57)).max() == 0
    np.testing.assert_array_equal(first, before)


@pytest.mark.parametrize("side", [None, 100])
def test_a_picture_of_its_own_has_no_margin_and_leaves_the_decoded_one_alone(side: int | None) -> None:
    shared, size = shaper(), shrunk_size(WIDTH, HEIGHT, side)
    for picture in pictures():
        before = shared.picture(picture, size).copy()
        own = shared.picture(picture, size, own=True)
        assert own.flags.c_contiguous and own.flags.writeable
        np.testing.assert_array_equal(own, before, picture.format.name)
        own[:] = 7
        np.testing.assert_array_equal(shared.picture(picture, size), before, picture.format.name)
