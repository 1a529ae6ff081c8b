"""Boxes are pixels of a picture: of the truth's, or they are refused or scaled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.compare import Comparison, compare
from stvg_core.evaluation.protocols import Protocol
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.evaluation.sizes import alike
from stvg_core.tube import Tube

SIZE = (640, 480)
TUBE = Tube(10, np.tile([0.1, 0.2, 0.5, 0.6], (10, 1)))
TRUTH = Truth.of_tube("a.mp4", "the man", TUBE, size=SIZE, fps=25.0, n_frames=100)


def of(size: tuple[int, int], video: str = "a.mp4") -> Prediction:
    return Prediction.of_tube(video, "the man", TUBE, size)


def compared(*predictions: Prediction, truth: Truth = TRUTH, scale: bool = False) -> Comparison:
    return compare(Protocol.HCSTVG, [truth, replace(truth, video="b.mp4")], predictions, scale_boxes=scale)


def test_another_size_is_refused_with_both_sizes() -> None:
    with pytest.raises(DatasetError) as caught:
        compared(of((320, 240)), of((320, 240), "b.mp4"))
    said = str(caught.value)
    assert "2 predictions" in said and "a.mp4: 320 x 240, the truth's 640 x 480, and 1 more" in said
    assert "--scale-boxes" in said


@pytest.mark.parametrize("size", [(320, 240), (1280, 960), (214, 160), (214, 161), SIZE])
def test_boxes_are_scaled_where_it_is_asked_for(size: tuple[int, int]) -> None:
    found = compared(of(size), scale=True)
    assert found.samples[0].scores.viou == pytest.approx(1.0, abs=1e-6)
    assert found.scaled == (size != SIZE)


@pytest.mark.parametrize("size", [(480, 640), (640, 360), (320, 256)])
def test_another_shape_is_refused_even_then(size: tuple[int, int]) -> None:
    """A turned, a cut and a padded picture: no factor brings the boxes back."""
    for scale in (False, True):
        with pytest.raises(DatasetError, match="another shape"):
            compared(of(size), scale=scale)


def test_what_says_no_size_is_taken_as_it_is_and_far_boxes_are_counted() -> None:
    unsaid = replace(of(SIZE), size=None)
    found = compared(unsaid, scale=True)
    assert (found.samples[0].scores.viou, found.scaled, found.outside) == (1.0, 0, 0)
    found = compared(replace(of((1920, 1440)), size=None))
    assert found.outside == 1 and found.samples[0].scores.viou < 0.5
    edge = Prediction.of_tube("a.mp4", "the man", Tube(10, np.tile([0.1, 0.2, 1.0, 1.0], (10, 1))), SIZE)
    over = replace(edge, size=None, boxes=edge.boxes + 5)
    assert compared(over).outside == 0, "a few pixels beyond the edge are usual"


def test_no_tube_and_predictions_for_nothing_are_of_no_size() -> None:
    found = compared(Prediction.of_tube("a.mp4", "the man", None, (320, 240)), of((320, 240), "c.mp4"))
    assert [sample.state for sample in found.samples] == ["no tube", "missing"] and found.unused == 1


def test_a_truth_of_an_unread_video_is_of_the_predictions_size() -> None:
    """Its boxes are known as shares of the picture: whatever the assumed size, the shares are compared."""
    unread = replace(TRUTH, size_known=False)
    for size in ((320, 240), (480, 640), (1920, 1080)):
        found = compared(of(size), truth=unread)
        assert found.samples[0].scores.viou == pytest.approx(1.0, abs=1e-6) and found.scaled == 0
    with pytest.raises(DatasetError, match=r"never read \(a.mp4\)"):
        compared(replace(of(SIZE), size=None), truth=unread)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((1920, 1080), (854, 480), True), ((1920, 1080), (426, 240), True), ((1080, 1920), (134, 240), True),
        ((1920, 1080), (960, 544), False), ((1920, 1080), (1440, 1080), False), ((1000, 100), (102, 10), True),
    ],
)  # fmt: skip
def test_sides_are_rounded(one: tuple[int, int], other: tuple[int, int], same: bool) -> None:
    assert alike(one, other) is alike(other, one) is same
