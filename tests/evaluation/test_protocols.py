"""The protocols: worked examples, and the same numbers as a version without arrays on random tubes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from stvg_core import metrics
from stvg_core.evaluation.protocols import Protocol, Scores, measure, sampled_frames
from stvg_core.evaluation.samples import Origin, Prediction, Truth
from stvg_core.tube import Tube
from tests.evaluation import plain

SIZE = (200, 100)


def a_tube(rng: np.random.Generator, start: int, length: int) -> Tube:
    corner = np.cumsum(rng.normal(0, 0.01, (length, 2)), axis=0) + rng.uniform(0.1, 0.4, 2)
    return Tube(start, np.concatenate([corner, corner + rng.uniform(0.1, 0.4, 2)], axis=1).clip(0.01, 0.99))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Truth, Prediction]:
    """A truth of any origin and a prediction in the same video."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_frames = draw(st.integers(40, 1500))
    origin = draw(st.sampled_from(list(Origin)))
    starts = [draw(st.integers(0, n_frames - 20)) for _ in range(2)]
    lengths = [draw(st.integers(2, n_frames - start - 2)) for start in starts]
    tubes = [a_tube(rng, start, length) for start, length in zip(starts, lengths, strict=True)]
    fps = draw(st.sampled_from([6.0, 10.0, 25.0, 30000 / 1001]))
    truth = Truth.of_tube("v.mp4", "x", tubes[0], size=SIZE, fps=fps, n_frames=n_frames)
    if origin is Origin.VIDSTG and draw(st.booleans()):  # a box on the exclusive end
        truth = replace(
            truth, frames=np.append(truth.frames, truth.last + 1), boxes=np.concatenate([truth.boxes, truth.boxes[-1:]])
        )
    if draw(st.booleans()) and len(truth.frames) > 3:  # a gap
        kept = np.arange(len(truth.frames)) != 1
        truth = replace(truth, frames=truth.frames[kept], boxes=truth.boxes[kept])
    return replace(truth, origin=origin), Prediction.of_tube("v.mp4", "x", tubes[1], SIZE)


def by_frame(frames: np.ndarray, boxes: np.ndarray, shift: int = 0) -> dict[int, plain.Box]:
    return {int(frame) + shift: tuple(box) for frame, box in zip(frames, boxes, strict=True)}


@settings(deadline=None, max_examples=150)
@given(pairs())
def test_the_same_as_frame_by_frame(pair: tuple[Truth, Prediction]) -> None:
    truth, prediction = pair
    assert prediction.first is not None and prediction.last is not None
    predicted = by_frame(prediction.frames, prediction.boxes)
    shift = int(truth.origin is Origin.HCSTVG)
    expected = {
        Protocol.TUBEDETR: plain.tubedetr(
            by_frame(truth.frames, truth.boxes, shift), (truth.first + shift, truth.last + 1 + shift), predicted,
            (prediction.first, prediction.last + 1), truth.segment, truth.fps,
        ),
        Protocol.CGSTVG: plain.cgstvg(
            by_frame(truth.frames, truth.boxes), (truth.first, truth.last + int(truth.origin is Origin.VIDSTG)),
            predicted, (prediction.first, prediction.last),
        ),
    }  # fmt: skip
    true = {frame: box for frame, box in by_frame(truth.frames, truth.boxes).items() if frame <= truth.last}
    if min(true) == truth.first and max(true) == truth.last:
        expected[Protocol.HCSTVG] = plain.hcstvg(true, predicted)
    for protocol, scores in expected.items():
        found = measure(protocol, truth, prediction)
        assert (found.tiou, found.viou, found.gt_viou) == pytest.approx(scores, abs=1e-9), protocol


@settings(deadline=None, max_examples=40)
@given(pairs())
def test_overlapping_tubes_score_the_same_as_the_librarys_own_measures(pair: tuple[Truth, Prediction]) -> None:
    """The challenge's protocol is the plain one wherever the two intervals touch and no frame is missing."""
    truth, prediction = pair
    assert prediction.first is not None and prediction.last is not None
    assume(np.array_equal(truth.frames, np.arange(truth.first, truth.last + 1)))
    assume(max(truth.first, prediction.first) <= min(truth.last, prediction.last))
    a = Tube(prediction.first, prediction.boxes / (*SIZE, *SIZE))
    b = Tube(truth.first, truth.boxes / (*SIZE, *SIZE))
    found = measure(Protocol.HCSTVG, truth, prediction)
    expected = metrics.tiou(a, b), metrics.viou(a, b), metrics.gt_viou(a, b)
    assert (found.tiou, found.viou, found.gt_viou) == pytest.approx(expected, abs=1e-5)


def still(start: int, length: int, box: tuple[float, ...] = (0.0, 0.0, 0.5, 0.5)) -> Tube:
    return Tube(start, np.tile(box, (length, 1)))


def scores(protocol: Protocol, truth: Tube, predicted: Tube | None, origin: Origin = Origin.CORRECTION) -> Scores:
    true = replace(Truth.of_tube("v", "x", truth, size=SIZE, fps=5.0, n_frames=100), origin=origin)
    return measure(protocol, true, Prediction.of_tube("v", "x", predicted, SIZE))


def test_how_the_ends_are_read() -> None:
    truth, half = still(10, 10), still(15, 10, (0.0, 0.0, 0.5, 0.25))
    # 5 shared frames of 15, each half covered.
    assert scores(Protocol.TUBEDETR, truth, half) == Scores(5 / 15, 2.5 / 15, 2.5 / 10)
    assert scores(Protocol.HCSTVG, truth, half) == Scores(5 / 15, 2.5 / 15, 2.5 / 10)
    # From frame 10 to 24 there are 14 steps; the last shared frame is not counted, but it is a true one.
    assert scores(Protocol.CGSTVG, truth, half) == Scores(4 / 14, 2.0 / 14, 2.5 / 10)


@pytest.mark.parametrize(
    ("protocol", "origin", "tiou"),
    [
        (Protocol.TUBEDETR, Origin.HCSTVG, 9 / 11),  # the truth is read one frame late
        (Protocol.TUBEDETR, Origin.VIDSTG, 1.0),
        (Protocol.CGSTVG, Origin.HCSTVG, 1.0),
        (Protocol.CGSTVG, Origin.VIDSTG, 9 / 10),  # the exclusive end is read as the last frame
        (Protocol.HCSTVG, Origin.HCSTVG, 1.0),
        (Protocol.HCSTVG, Origin.VIDSTG, 1.0),
    ],
)
def test_what_a_perfect_tube_scores(protocol: Protocol, origin: Origin, tiou: float) -> None:
    assert scores(protocol, still(10, 10), still(10, 10), origin).tiou == pytest.approx(tiou)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_no_tube_and_tubes_apart_score_nothing(protocol: Protocol) -> None:
    assert scores(protocol, still(10, 10), None) == Scores(0, 0, 0)
    assert scores(protocol, still(10, 10), still(50, 10)) == Scores(0, 0, 0)


def test_boxes_outside_the_predicted_interval_count_for_gt_viou_only() -> None:
    true = Truth.of_tube("v", "x", still(10, 10), size=SIZE, fps=5.0, n_frames=100)
    prediction = replace(Prediction.of_tube("v", "x", still(10, 10), SIZE), first=10, last=14)
    for protocol in (Protocol.TUBEDETR, Protocol.HCSTVG):
        assert measure(protocol, true, prediction) == Scores(0.5, 0.5, 1.0)


def test_long_segments_are_thinned_to_200_frames() -> None:
    true = Truth.of_tube("v", "x", still(10, 10), size=SIZE, fps=25.0, n_frames=3000)
    frames = sampled_frames(true)
    assert len(frames) == 200 and frames[0] == 0 and frames[-1] == 2985
    assert np.all(np.diff(frames) == 15)
    slow = replace(true, fps=2.0, segment=(5, 9))
    np.testing.assert_array_equal(sampled_frames(slow), [5, 6, 7, 8])
