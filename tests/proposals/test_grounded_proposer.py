"""The whole proposer on painted clips: from a phrase to coarse tracks, from a coarse track to a dense one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.boxes import box_iou
from stvg_core.proposals.grounded_proposer import GroundedProposer
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.tube import Track
from tests.proposals.painted import VOCABULARY, paint, see_red_boxes, see_red_masks, straight

WIDE, TALL = (160, 96), (96, 160)


@pytest.fixture
def proposer(detector_folder: Path, tracker_folder: Path) -> GroundedProposer:
    return GroundedProposer(str(detector_folder), str(tracker_folder), device="cpu")


@pytest.mark.parametrize(
    ("size", "start", "end"),
    [(WIDE, (8, 20, 40, 52), (116, 36, 148, 68)), (TALL, (20, 8, 52, 40), (36, 116, 68, 148))],
)
def test_a_moving_square_becomes_one_coarse_track_and_then_a_dense_one(
    size: tuple[int, int], start: tuple[int, ...], end: tuple[int, ...], proposer: GroundedProposer, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    truth = straight(60, start, end)
    video = paint(tmp_path / "moving.mp4", truth, size)
    prompts = see_red_boxes(monkeypatch)
    (track,) = proposer.propose(video, "the red circle in the red")
    assert isinstance(track, SightedTrack)
    assert track.frames.tolist() == [0, 10, 20, 30, 40, 50, 59] == track.sighted.tolist()
    assert (track.source, track.label) == ("grounding_dino", "red circle")
    assert track.score == pytest.approx(0.8, abs=1e-3)
    assert len(prompts) == 7  # pictures, and none twice
    words = [token for token in prompts[0] if token >= 1040 or token == 1012]
    assert words == [VOCABULARY["red"], VOCABULARY["circle"], 1012]
    exact = truth / np.array([*size, *size])
    assert box_iou(track.at(np.arange(60)), exact).min() > 0.8

    looks = see_red_masks(monkeypatch)
    dense = proposer.densify(video, track, 25, 30)
    assert dense.frames.tolist() == [0, *range(5, 51), 59]  # a second of 20 frames on both sides
    assert sorted(looks) == list(range(46))
    assert box_iou(dense.at(np.arange(60)), exact).min() > 0.8


def test_what_the_coarse_track_cannot_know_is_seen(
    proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looked-at frames the square jumps up and down again."""
    truth = np.tile([20.0, 60, 52, 92], (41, 1))
    truth[12:19] -= [0, 50, 0, 50]
    video = paint(tmp_path / "jump.mp4", truth, WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    (track,) = proposer.propose(video, "man")
    exact = truth / np.array([*WIDE, *WIDE])
    assert box_iou(track.at(np.array([15])), exact[15:16])[0] == 0
    dense = proposer.densify(video, track, 10, 20)
    assert box_iou(dense.at(np.arange(41)), exact).min() > 0.8


def test_where_the_tracker_loses_it_the_coarse_boxes_hold(
    proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = straight(41, (8, 20, 40, 52), (116, 36, 148, 68))
    video = paint(tmp_path / "lost.mp4", truth, WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch, blind=(13, 14, 15))
    (track,) = proposer.propose(video, "man")
    dense = proposer.densify(video, track, 15, 25)
    lost = np.array([13, 14, 15])  # the window begins with the video
    assert dense.at(lost) == pytest.approx(track.at(lost), abs=1e-6)
    assert dense.frames.tolist() == list(range(41))


def test_a_blind_tracker_gives_the_coarse_track(
    proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = paint(tmp_path / "blind.mp4", straight(41, (8, 20, 40, 52), (116, 36, 148, 68)), WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch, blind=tuple(range(41)))
    (track,) = proposer.propose(video, "man")
    assert proposer.densify(video, track, 15, 25).at(np.arange(41)) == pytest.approx(track.at(np.arange(41)), abs=1e-6)


def test_one_frame(proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = paint(tmp_path / "one.mp4", np.array([[20.0, 30, 60, 80]]), WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    (track,) = proposer.propose(video, "man")
    dense = proposer.densify(video, track, 0, 0)
    assert track.frames.tolist() == dense.frames.tolist() == [0]
    for found in (track, dense):
        assert box_iou(found.boxes, np.array([[20, 30, 60, 80]]) / np.array([*WIDE, *WIDE]))[0] > 0.8


def test_it_comes_and_goes(proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = np.full((80, 4), np.nan)
    truth[27:55] = [20, 30, 60, 80]
    video = paint(tmp_path / "comes.mp4", truth, WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    (track,) = proposer.propose(video, "man")
    assert (track.frames[0], track.frames[-1]) == (25, 55)  # halfway between two looked-at frames
    dense = proposer.densify(video, track, 25, 55)
    assert np.isnan(dense.at(np.array([20, 60]))).all()
    assert (dense.frames[0], dense.frames[-1]) == (25, 55)


def test_nothing_found_is_no_track(proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = paint(tmp_path / "empty.mp4", np.full((20, 4), np.nan), WIDE)
    prompts = see_red_boxes(monkeypatch)
    assert proposer.propose(video, "the man in red") == []
    assert len(prompts) == 2 * 3  # the noun, then the whole phrase


def test_the_whole_phrase_is_tried_where_the_noun_finds_nothing(
    proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = paint(tmp_path / "square.mp4", np.tile([20.0, 30, 60, 80], (20, 1)), WIDE)
    see_red_boxes(monkeypatch, word="red")
    (track,) = proposer.propose(video, "the man in red")
    assert track.label == "the man in red"
    assert proposer.propose(video, "the woman") == []
    assert proposer.propose(video, None) == []  # "object"
    see_red_boxes(monkeypatch, word="object")
    assert [track.label for track in proposer.propose(video, None)] == ["object"]


def test_weights_are_loaded_once_and_not_before_they_are_needed(
    proposer: GroundedProposer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stvg_core.proposals import grounding_dino, sam2

    loaded: list[str] = []
    for module in (grounding_dino, sam2):
        real = module.load_network

        def load(*arguments: str, real: object = real, **named: object) -> object:
            loaded.append(arguments[1])
            return real(*arguments, **named)  # type: ignore[operator]

        monkeypatch.setattr(module, "load_network", load)
    video = paint(tmp_path / "square.mp4", np.tile([20.0, 30, 60, 80], (12, 1)), WIDE)
    see_red_boxes(monkeypatch)
    see_red_masks(monkeypatch)
    assert loaded == []
    (track,) = proposer.propose(video, "man")
    proposer.propose(video, "woman")
    assert loaded == ["GroundingDinoForObjectDetection"]
    for _ in range(2):
        proposer.densify(video, track, 0, 5)
    assert loaded == ["GroundingDinoForObjectDetection", "Sam2VideoModel"]


def test_random_weights_go_the_whole_way(proposer: GroundedProposer, tmp_path: Path) -> None:
    """Nothing forced: whatever the models say, the tracks are sound."""
    video = paint(tmp_path / "square.mp4", straight(30, (8, 20, 40, 52), (116, 36, 148, 68)), WIDE)
    tracks = proposer.propose(video, "man")
    assert tracks
    for track in tracks[:2]:
        dense: Track = proposer.densify(video, track, 5, 15)
        assert dense.boxes.min() >= 0 and dense.boxes.max() <= 1
        assert (dense.frames[0], dense.frames[-1]) == (0, 29)
