"""A drawn box on one frame: the object is followed both ways, by each proposer; the drawn box stays as it was drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.boxes import box_iou
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.evaluate import target_track, whole_tube
from stvg_core.errors import QueryError
from stvg_core.metrics import viou
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.cache import CachedProposer
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.following import DrawnBox, pinned
from stvg_core.proposals.grounded_proposer import GroundedProposer
from stvg_core.proposals.sightings import sightings
from stvg_core.tube import Track
from stvg_core.video import VideoReader
from tests.proposals.painted import paint, see_red_masks, straight

SIZE = (160, 96)
WHOLE = np.array([160, 96, 160, 96])
MOVING = straight(60, (8, 20, 40, 52), (116, 36, 148, 68))


def at(track: Track, frame: int) -> np.ndarray:
    return track.at(np.array([frame]))[0]


@pytest.mark.parametrize("frame", [0, 30, 59])
def test_a_moving_square_is_followed_both_ways(frame: int, tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    track = EmbeddedProposer().follow(video, DrawnBox(frame, MOVING[frame] / WHOLE))
    assert (track.frames[0], track.frames[-1], track.source, track.score) == (0, 59, "drawn", 1.0)
    assert box_iou(track.at(np.arange(60)), MOVING / WHOLE).min() > 0.8


def test_the_drawn_box_is_in_the_track_exactly_and_its_margins_stay(tmp_path: Path) -> None:
    """Drawn a quarter too wide on each side: so are the other boxes."""
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    loose = (MOVING[30] + [-4, -4, 4, 4]) / WHOLE
    track = EmbeddedProposer().follow(video, DrawnBox(30, loose))
    np.testing.assert_array_equal(at(track, 30), loose.astype(np.float32))
    assert box_iou(at(track, 12)[None], (MOVING[12] + [-4, -4, 4, 4])[None] / WHOLE)[0] > 0.85


def test_a_frame_between_the_sampled_pictures_is_looked_at(tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    track = EmbeddedProposer(max_pictures=6).follow(video, DrawnBox(17, MOVING[17] / WHOLE))
    assert 17 in track.frames and len(track.frames) <= 7
    np.testing.assert_array_equal(at(track, 17), (MOVING[17] / WHOLE).astype(np.float32))


def test_it_ends_where_the_object_is_gone(tmp_path: Path) -> None:
    boxes = np.full((60, 4), np.nan)
    boxes[:25] = MOVING[:25]
    video = paint(tmp_path / "gone.mp4", boxes, SIZE)
    track = EmbeddedProposer().follow(video, DrawnBox(10, MOVING[10] / WHOLE))
    assert track.frames[0] == 0 and 22 <= track.frames[-1] <= 26


def test_where_nothing_is_found_the_box_is_held_while_the_pictures_stay_alike(tmp_path: Path) -> None:
    """A box on the empty background, through which the square comes later."""
    boxes = np.full((60, 4), np.nan)
    boxes[30:] = [100, 30, 132, 62]
    video = paint(tmp_path / "empty.mp4", boxes, SIZE)
    drawn = np.array([104, 32, 128, 60]) / WHOLE
    track = EmbeddedProposer().follow(video, DrawnBox(5, drawn))
    assert (track.frames[0], track.frames[-1]) == (0, 29)
    assert np.abs(track.boxes - drawn).max() < 1e-6


def test_one_picture_is_enough(tmp_path: Path) -> None:
    video = paint(tmp_path / "one.mp4", MOVING[:1], SIZE)
    track = EmbeddedProposer().follow(video, DrawnBox(0, MOVING[0] / WHOLE))
    assert track.frames.tolist() == [0]


def test_a_synthetic_object_is_followed_from_its_action(tmp_path: Path) -> None:
    """Over the whole of each clip. One clip says little: there, a box that a detector sees or misses decides."""
    overlaps = []
    for number in range(3, 6):
        scene = split_scene("validation", number, difficulty="medium")
        truth, frame = target_track(scene), sum(scene.truth) // 2
        with VideoReader(write_clip(tmp_path / f"{number}.mp4", scene)) as video:
            track = EmbeddedProposer().follow(video, DrawnBox(frame, at(truth, frame)))
        overlaps.append(viou(whole_tube(track), whole_tube(truth)))
    assert np.median(overlaps) > 0.85, overlaps


@pytest.mark.parametrize(
    ("box", "said"),
    [([0.2, 0.2, 0.2, 0.5], "empty"), ([1.2, 0.1, 1.5, 0.5], "outside"), ([0.1, 0.2, 0.3], "four numbers"),
     ([0.1, float("nan"), 0.3, 0.4], "four numbers")],
)  # fmt: skip
def test_a_box_that_is_none_is_refused(box: list[float], said: str) -> None:
    with pytest.raises(QueryError, match=said):
        DrawnBox(0, np.array(box))


@pytest.mark.parametrize("frame", [-1, 60])
def test_a_frame_that_the_video_does_not_have_is_refused(frame: int, tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    for proposer in (EmbeddedProposer(), FixedTracks([])):
        with pytest.raises(QueryError, match="0 to 59"):
            proposer.follow(video, DrawnBox(frame, MOVING[0] / WHOLE))


def test_sam_2_follows_from_the_drawn_box_both_ways(
    detector_folder: Path, tracker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    looks = see_red_masks(monkeypatch, blind=(0, 1, 59))
    proposer = CachedProposer(
        GroundedProposer(str(detector_folder), str(tracker_folder), device="cpu"), tmp_path / "cache"
    )
    loose = (MOVING[20] + [-4, -4, 4, 4]) / WHOLE
    track = proposer.follow(video, DrawnBox(20, loose))
    assert looks == [20, *range(21, 60), *range(19, -1, -1)]
    assert track.frames.tolist() == list(range(2, 59)), "where the mask is empty there is no box"
    np.testing.assert_array_equal(at(track, 20), loose.astype(np.float32))
    others = np.delete(np.arange(2, 59), 18)
    assert box_iou(track.at(others), MOVING[others] / WHOLE).min() > 0.75
    assert sightings(track)[0].tolist() == [20]
    looks.clear()
    assert proposer.densify(video, track, 10, 30) is track and not looks, "it has every frame already"


def test_a_long_video_is_thinned_out_but_never_the_drawn_frame(
    detector_folder: Path, tracker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    see_red_masks(monkeypatch)
    monkeypatch.setattr("stvg_core.proposals.grounded_proposer.MAX_FRAMES", 20)
    proposer = GroundedProposer(str(detector_folder), str(tracker_folder), device="cpu")
    track = proposer.follow(video, DrawnBox(20, MOVING[20] / WHOLE))
    assert track.frames.tolist() == sorted({*range(0, 60, 3), 20})


def test_given_tracks_answer_with_the_nearest_one(tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    near, far = (Track(np.array([0, 59]), np.tile(box, (2, 1))) for box in ([0.1, 0.1, 0.4, 0.4], [0.6, 0.6, 0.9, 0.9]))
    drawn = DrawnBox(7, np.array([0.55, 0.6, 0.9, 0.9]))
    track = FixedTracks([near, far]).follow(video, drawn)
    assert track.frames.tolist() == [0, 7, 59]
    np.testing.assert_array_equal(track.boxes[1], drawn.box)
    assert FixedTracks([near]).follow(video, drawn).frames.tolist() == [7]


def test_pinning_changes_one_box_only() -> None:
    track = Track(np.array([2, 4]), np.array([[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4]]))
    for frame, frames in ((2, [2, 4]), (3, [2, 3, 4]), (9, [2, 4, 9]), (0, [0, 2, 4])):
        found = pinned(track, DrawnBox(frame, np.array([0.5, 0.5, 0.6, 0.6])))
        assert found.frames.tolist() == frames
        assert at(found, frame).tolist() == pytest.approx([0.5, 0.5, 0.6, 0.6])
    assert track.frames.tolist() == [2, 4]
