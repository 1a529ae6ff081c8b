from __future__ import annotations

import numpy as np
import pytest

from stvg_core.method.evidence import Evidence
from stvg_core.tube import Grounding, Track, Tube, VideoInfo

VIDEO = VideoInfo("clip.mp4", 200, 100, 30000, 1001, 60, 2.0)


def evidence() -> Evidence:
    return Evidence(
        slot_frames=np.array([5, 15]), track_boxes=np.full((1, 2, 4), 0.25, np.float32), track_scores=np.array([0.5]),
        track_scores_forward=np.array([0.4]), track_scores_reversed=np.array([0.6]),
        frame_scores=np.array([[0.1, 0.9]]),
        spatial_map=np.ones((2, 3, 3), np.float16), temporal_map=np.zeros((2, 3, 3), np.float16), chosen=0,
        consistency=0.8, info={"spatial_token": 2},
    )  # fmt: skip


def test_track_is_linear_between_and_absent_outside() -> None:
    track = Track(np.array([2, 6]), np.array([[0, 0, 0.1, 0.1], [0.4, 0.4, 0.5, 0.5]]))
    at = track.at(np.array([1, 2, 4, 6, 7]))
    assert np.isnan(at[[0, 4]]).all()
    np.testing.assert_allclose(at[2], [0.2, 0.2, 0.3, 0.3], atol=1e-6)


@pytest.mark.parametrize(
    ("frames", "boxes"),
    [([], np.empty((0, 4))), ([1, 1], np.zeros((2, 4))), ([1], np.full((1, 4), np.nan)), ([1, 2], np.zeros((1, 4)))],
)
def test_impossible_tracks_are_refused(frames: list[int], boxes: np.ndarray) -> None:
    with pytest.raises(ValueError, match="track"):
        Track(np.array(frames), boxes)


def test_tubes_are_inside_the_frame_and_finite() -> None:
    tube = Tube(3, np.array([[-0.2, 0.0, 1.4, 0.5]]))
    assert tube.boxes.tolist() == [[0.0, 0.0, 1.0, 0.5]]
    assert (tube.start_frame, tube.end_frame) == (3, 3)
    for start, boxes in ((-1, np.zeros((1, 4))), (0, np.zeros((0, 4))), (0, np.full((1, 4), np.inf))):
        with pytest.raises(ValueError, match="tube"):
            Tube(start, boxes)


def test_evidence_survives_storage() -> None:
    before = evidence()
    after = Evidence.from_bytes(before.to_bytes(), chosen=0, consistency=0.8, info=before.info)
    np.testing.assert_array_equal(after.track_boxes, before.track_boxes)
    np.testing.assert_array_equal(after.spatial_map, before.spatial_map)
    assert after.spatial_map.dtype == np.float16


def test_json_has_pixels_seconds_and_every_frame() -> None:
    tube = Tube(30, np.tile([0.1, 0.2, 0.5, 0.6], (3, 1)))
    found = Grounding("q", "a", "b", VIDEO, tube, 0.5, "m", {"total": 1.0}, evidence()).to_json()
    assert found["boxes"] == {str(f): [20.0, 20.0, 100.0, 60.0] for f in (30, 31, 32)}
    assert (found["start_frame"], found["end_frame"]) == (30, 32)
    assert found["start_s"] == pytest.approx(30 * 1001 / 30000, abs=1e-4)
    nothing = Grounding("q", "a", "b", VIDEO, None, 0.0, "m", {}, evidence()).to_json()
    assert nothing["boxes"] == {} and nothing["start_frame"] is None


PAUSE = np.concatenate([np.arange(20) / 10, 10 + np.arange(20) / 10])
"""Ten pictures a second, and a pause of eight seconds after twenty of them."""


def test_seconds_of_a_variable_rate_are_the_pictures_own() -> None:
    video = VideoInfo("clip.mp4", 200, 100, 390, 119, 40, 12.0, variable_rate=True, times=PAUSE)
    tube = Tube(20, np.tile([0.1, 0.2, 0.5, 0.6], (11, 1)))
    found = Grounding("q", "a", "b", video, tube, 0.5, "m", {}, evidence()).to_json()
    assert (found["start_s"], found["end_s"]) == (10.0, 11.0)
    assert (video.seconds_of(19), video.end_of(19), video.end_of(39)) == (1.9, 10.0, 12.0)


def test_unknown_times_are_never_guessed() -> None:
    video = VideoInfo("clip.mp4", 200, 100, 390, 119, 40, 12.0, variable_rate=True)
    with pytest.raises(ValueError, match="not known"):
        video.seconds_of(3)


def test_an_even_rate_needs_no_stored_times() -> None:
    assert VIDEO.seconds_of(30) == pytest.approx(30 * 1001 / 30000, rel=1e-15)
    np.testing.assert_allclose(VIDEO.seconds(), np.arange(60) * 1001 / 30000, rtol=1e-15)
    assert VIDEO.end_of(59) == pytest.approx(60 * 1001 / 30000, abs=0.01)
