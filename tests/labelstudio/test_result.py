"""Tube -> regions -> tube, and everything that people leave in a region by hand."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.payloads import validate_prediction
from backend.labelstudio.result import KEYFRAME_KEYS, read_spans, read_verdict, result_to_tubes, tube_to_result
from stvg_core.boxes import box_iou
from stvg_core.keyframes import Keyframe
from stvg_core.tube import Array, Tube
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG, keyframe, region

OURS = read_config(CONFIG)
N_FRAMES = 50


@dataclass(frozen=True)
class Video:
    fps: float
    n_frames: int

    @property
    def duration_s(self) -> float:
        return self.n_frames / self.fps


RATES = (10.0, 25.0, 30000 / 1001)


@st.composite
def tubes(draw: st.DrawFn) -> tuple[Tube, Video]:
    """A box that wanders and changes size inside the picture, anywhere in a video, one frame long or more."""
    n_frames = draw(st.integers(1, 120))
    start = draw(st.integers(0, n_frames - 1))
    end = draw(st.integers(start, n_frames - 1))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    length, steps = end - start + 1, draw(st.floats(0.0, 0.03))
    centre = np.cumsum(generator.normal(0, steps, (length, 2)), axis=0) + generator.uniform(0.2, 0.8, 2)
    size = (
        np.abs(np.cumsum(generator.normal(0, steps / 3, (length, 2)), axis=0) + generator.uniform(0.1, 0.4, 2)) + 0.02
    )
    boxes = np.concatenate([centre - size / 2, centre + size / 2], axis=1)
    # Keep boxes inside with some area, as the pipeline does.
    low, high = boxes[:, :2].clip(0, 0.95), boxes[:, 2:].clip(0.05, 1)
    boxes = np.concatenate([low, np.maximum(high, low + 0.02)], axis=1)
    return Tube(start, boxes), Video(draw(st.sampled_from(RATES)), n_frames)


def push(tube: Tube, video: Video, config: LabelConfig = OURS, **options: Any) -> list[dict[str, Any]]:
    return tube_to_result(tube, info=video, config=config, score=0.5, region_id="tube-1", **options)


@settings(max_examples=150, deadline=None)
@given(tubes())
def test_a_tube_comes_back_frame_exact_and_within_the_simplifiers_tolerance(made: tuple[Tube, Video]) -> None:
    tube, video = made
    result = push(tube, video)
    validate_prediction({"task": 1, "model_version": "m", "score": 0.5, "result": result}, OURS)
    [back] = result_to_tubes(result, OURS, n_frames=video.n_frames)
    assert (back.tube.start_frame, back.tube.end_frame) == (tube.start_frame, tube.end_frame)
    assert back.intervals == ((tube.start_frame, tube.end_frame),)
    assert read_spans(result, n_frames=video.n_frames) == [(tube.start_frame, tube.end_frame)]
    # 0.9 is what the simplifier promises; four decimals of a percent may cost a thousandth on small boxes.
    assert box_iou(back.tube.boxes, tube.boxes).min() >= 0.899
    assert (back.region_id, back.label, back.score) == ("tube-1", "Target", 0.5)


@settings(max_examples=50, deadline=None)
@given(tubes())
def test_with_every_frame_a_keyframe_the_boxes_are_exact(made: tuple[Tube, Video]) -> None:
    tube, video = made
    dense = [Keyframe(int(f), box) for f, box in zip(tube.frames, tube.boxes, strict=True)]
    [back] = result_to_tubes(push(tube, video, keyframes=dense), OURS, n_frames=video.n_frames)
    np.testing.assert_allclose(back.tube.boxes, tube.boxes, atol=2e-6)
    assert back.keyframes == len(tube.boxes)


@settings(max_examples=50, deadline=None)
@given(tubes(), st.randoms(use_true_random=False))
def test_order_and_missing_rotation_and_time_do_not_matter(made: tuple[Tube, Video], dice: random.Random) -> None:
    tube, video = made
    result = push(tube, video)
    [before] = result_to_tubes(result, OURS, n_frames=video.n_frames)
    sequence = result[0]["value"]["sequence"]
    for entry in sequence:
        del entry["rotation"], entry["time"]
    dice.shuffle(sequence)
    [after] = result_to_tubes(result, OURS, n_frames=video.n_frames)
    assert after.intervals == before.intervals
    np.testing.assert_array_equal(after.tube.boxes, before.tube.boxes)


@settings(max_examples=50, deadline=None)
@given(tubes())
def test_keyframes_are_what_label_studio_needs(made: tuple[Tube, Video]) -> None:
    tube, video = made
    value = push(tube, video)[0]["value"]
    sequence = value["sequence"]
    assert all(tuple(entry) == KEYFRAME_KEYS for entry in sequence)
    assert [entry["enabled"] for entry in sequence] == [True] * (len(sequence) - 1) + [False]
    frames = [entry["frame"] for entry in sequence]
    assert frames == sorted(set(frames))
    assert (frames[0], frames[-1]) == (tube.start_frame + 1, tube.end_frame + 1)
    assert all(entry["time"] == pytest.approx(entry["frame"] / video.fps, abs=1e-6) for entry in sequence)
    assert (value["framesCount"], value["duration"]) == (video.n_frames, pytest.approx(video.duration_s, abs=1e-6))


def test_a_teams_own_names_and_labels_are_used() -> None:
    tube = Tube(0, np.tile([0.1, 0.2, 0.5, 0.6], (10, 1)))
    config = read_config(RENAMED_CONFIG)
    box, span = push(tube, Video(25, 50), config, label="Thing")
    assert (box["from_name"], box["to_name"], box["value"]["labels"]) == ("who", "clip", ["Thing"])
    assert (span["from_name"], span["value"]["timelinelabels"]) == ("moment", ["Seen"])
    assert box["id"] != span["id"]
    first = box["value"]["sequence"][0]
    assert [first[key] for key in ("x", "y", "width", "height")] == pytest.approx([10, 20, 40, 40], abs=1e-3)


def test_an_interface_without_labels_and_timeline_gets_the_boxes_alone() -> None:
    video = '<Video name="video" value="$video" frameRate="$fps"/>'
    bare = read_config(f'<View>{video}<VideoRectangle name="box" toName="video"/></View>')
    [box] = push(Tube(3, np.tile([0.1, 0.2, 0.5, 0.6], (4, 1))), Video(25, 50), bare)
    assert "labels" not in box["value"]
    [back] = result_to_tubes([box], bare, n_frames=50)
    assert back.label is None and back.intervals == ((3, 6),)


def test_a_tube_longer_than_the_video_is_a_defect() -> None:
    with pytest.raises(ValueError, match="ends at frame 50"):
        push(Tube(0, np.tile([0.1, 0.2, 0.5, 0.6], (51, 1))), Video(25, 50))


# What people do by hand. Frames in Label Studio count from 1, ours from 0.


def read(*sequence: dict[str, Any], n_frames: int = N_FRAMES) -> list[Any]:
    return result_to_tubes([region(*sequence)], OURS, n_frames=n_frames)


def left_edges(tube: Tube) -> Array:
    return tube.boxes[:, 0] * 100


@pytest.mark.parametrize(
    ("sequence", "intervals"),
    [
        # The last keyframe is off: it is drawn on its own frame and gone after it.
        ([keyframe(6, 10), keyframe(40, 60, enabled=False)], ((5, 39),)),
        # Nobody switched it off: it is drawn to the video's end.
        ([keyframe(6, 10)], ((5, 49),)),
        ([keyframe(6, 10), keyframe(40, 60)], ((5, 49),)),
        # Switched off and on again in between.
        (
            [keyframe(1, 0), keyframe(10, 9, enabled=False), keyframe(20, 19), keyframe(30, 29, enabled=False)],
            ((0, 9), (19, 29)),
        ),
        ([keyframe(1, 0), keyframe(10, 9, enabled=False), keyframe(20, 19)], ((0, 9), (19, 49))),
        # Shortened on the page: the old last keyframe is left over.
        ([keyframe(6, 10), keyframe(30, 53, enabled=False), keyframe(40, 60, enabled=False)], ((5, 29),)),
        # Begun later on the page: the old first keyframe is left over.
        ([keyframe(6, 10, enabled=False), keyframe(16, 20), keyframe(40, 60, enabled=False)], ((15, 39),)),
        # One frame only.
        ([keyframe(6, 10, enabled=False)], ((5, 5),)),
        # After the video's end.
        ([keyframe(40, 10), keyframe(60, 60, enabled=False)], ((39, 49),)),
        ([keyframe(51, 10), keyframe(60, 60, enabled=False)], None),
        # Before its start.
        ([keyframe(0, 10), keyframe(-3, 10), keyframe(9, 60, enabled=False)], ((0, 8),)),
        ([], None),
    ],
)
def test_when_a_region_is_drawn(sequence: list[dict[str, Any]], intervals: tuple[tuple[int, int], ...] | None) -> None:
    found = read(*sequence)
    assert [tube.intervals for tube in found] == ([] if intervals is None else [intervals])
    for tube in found:
        assert (tube.tube.start_frame, tube.tube.end_frame) == (tube.intervals[0][0], tube.intervals[-1][1])


def test_boxes_are_linear_between_keyframes_and_stay_after_the_last() -> None:
    [found] = read(keyframe(1, 0), keyframe(11, 50))
    np.testing.assert_allclose(left_edges(found.tube)[:12], [*range(0, 51, 5), 50], atol=1e-3)
    assert found.tube.end_frame == 49


def test_a_gap_is_filled_in_the_tube_and_kept_in_the_intervals() -> None:
    [found] = read(keyframe(1, 0), keyframe(11, 10, enabled=False), keyframe(21, 20), keyframe(31, 30, enabled=False))
    np.testing.assert_allclose(left_edges(found.tube), np.arange(31), atol=1e-3)
    assert found.intervals == ((0, 10), (20, 30))


def test_of_two_keyframes_on_one_frame_the_later_counts() -> None:
    [found] = read(keyframe(1, 0), keyframe(5, 10), keyframe(5, 30, enabled=False))
    assert found.intervals == ((0, 4),)
    assert left_edges(found.tube)[-1] == pytest.approx(30, abs=1e-3)


def test_boxes_over_the_edge_are_cut() -> None:
    [found] = read(keyframe(1, 90), keyframe(2, -15, y=-10, enabled=False))
    np.testing.assert_allclose(found.tube.boxes[0], [0.9, 0.4, 1.0, 0.7], atol=1e-6)
    np.testing.assert_allclose(found.tube.boxes[1], [0.0, 0.0, 0.05, 0.2], atol=1e-6)


@pytest.mark.parametrize("broken", [{"x": None}, {"width": float("nan")}, {"y": "40"}, {"frame": None}])
def test_a_keyframe_without_numbers_is_left_out(broken: dict[str, Any]) -> None:
    [found] = read(keyframe(1, 0), keyframe(5, 40) | broken, keyframe(11, 10, enabled=False))
    assert found.keyframes == 2
    np.testing.assert_allclose(left_edges(found.tube), np.arange(11), atol=1e-3)


def test_a_box_drawn_without_a_label_and_a_size_drawn_backwards() -> None:
    drawn = region(keyframe(1, 30, width=-20), keyframe(5, 30, width=-20, enabled=False), id="-Gx")
    del drawn["value"]["labels"]
    [found] = result_to_tubes([drawn], OURS, n_frames=N_FRAMES)
    assert (found.region_id, found.label, found.score) == ("-Gx", None, None)
    np.testing.assert_allclose(found.tube.boxes[0], [0.1, 0.4, 0.3, 0.7], atol=1e-6)


def test_several_regions_keep_their_ids_and_labels() -> None:
    other = region(keyframe(9, 5), id="r2")
    other["value"]["labels"] = ["Other"]
    found = result_to_tubes([region(keyframe(1, 0)), other], OURS, n_frames=N_FRAMES)
    assert [(tube.region_id, tube.label) for tube in found] == [("r1", "Target"), ("r2", "Other")]


def test_regions_of_other_kinds_are_no_tubes() -> None:
    verdict = {"type": "choices", "from_name": "verdict", "to_name": "video", "value": {"choices": ["wrong time"]}}
    other = {"type": "choices", "from_name": "mood", "to_name": "video", "value": {"choices": ["correct"]}}
    result = [other, verdict, {"type": "videorectangle", "to_name": "video"}]
    assert result_to_tubes(result, OURS, n_frames=N_FRAMES) == []
    assert read_verdict(result, OURS) == "wrong time"
    assert read_verdict([other], OURS) is None


def test_spans_are_read_cut_and_sorted() -> None:
    ranges = [{"start": 45, "end": 70}, {"start": 9, "end": 3}, {"start": 60, "end": 70}, {"start": None, "end": 4}]
    result = [{"type": "timelinelabels", "from_name": "when", "value": {"ranges": ranges, "timelinelabels": ["Match"]}}]
    assert read_spans(result, n_frames=N_FRAMES) == [(2, 8), (44, 49)]
