"""The paper's order: every candidate is followed through the whole video before one is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from transformers import Sam2VideoModel

from stvg_core.boxes import box_iou
from stvg_core.proposals import CachedProposer, dense
from stvg_core.proposals.dense import merge, plan_all
from stvg_core.proposals.following import DrawnBox, pinned
from stvg_core.proposals.grounded_proposer import GroundedProposer
from stvg_core.proposals.sam2 import Sam2Tracker, looking_order_of_all
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.proposals.track_bytes import from_bytes, to_bytes
from stvg_core.tube import Track
from tests.proposals.painted import paint, see_red_boxes, see_red_masks, straight

NOISE = np.random.default_rng(0).integers(0, 255, (14, 48, 80, 3)).astype(np.uint8)
BOX, OTHER, THIRD = (
    np.array(box, np.float32) for box in ([0.2, 0.25, 0.6, 0.75], [0.5, 0.1, 0.9, 0.5], [0.0, 0.5, 0.3, 1.0])
)
SIZE, WHOLE = (160, 96), np.array([160, 96, 160, 96])


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every picture that the vision encoder sees."""
    real, seen = Sam2VideoModel.get_image_features, []

    def features(self: Any, pixels: Any, **named: Any) -> Any:
        seen.append(len(pixels))
        return real(self, pixels, **named)

    monkeypatch.setattr(Sam2VideoModel, "get_image_features", features)
    return seen


def test_together_each_is_followed_as_alone_and_pictures_are_encoded_for_all(
    tracker_folder: Path, encoded: list[int]
) -> None:
    seeds = [{2: BOX, 6: BOX}, {6: OTHER}, {9: THIRD, 11: THIRD}]
    tracker, read = Sam2Tracker(str(tracker_folder), device="cpu"), []

    def give(positions: list[int]) -> np.ndarray:
        read.extend(positions)
        return NOISE[positions]

    together = tracker.follow_all(give, len(NOISE), seeds)
    assert read == looking_order_of_all(len(NOISE), seeds)
    # The seeded ones; then from the first on, without one where all that are there are seeded; and back from the last.
    # Not once per object.
    assert read == [2, 6, 9, 11, 3, 4, 5, *range(7, 14), *range(8, -1, -1)]
    at_once = sum(encoded)
    assert at_once == len(read)
    encoded.clear()
    for one, own in zip(together, seeds, strict=True):
        np.testing.assert_array_equal(one.boxes, tracker.follow(lambda p: NOISE[p], len(NOISE), own))
        assert (one.masks.any(axis=(1, 2)) == np.isfinite(one.boxes).all(axis=1)).all()
    assert sum(encoded) == 3 * len(NOISE) > at_once


def test_masks_are_where_the_object_is(tracker_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see_red_masks(monkeypatch, blind=(1,))
    pictures = np.full((3, 64, 64, 3), 120, np.uint8)
    pictures[:, 16:48, 16:32] = pictures[:, 32:48, 16:48] = (230, 20, 20)  # an L: a quarter of its box is empty
    (found,) = Sam2Tracker(str(tracker_folder), device="cpu").follow_all(lambda p: pictures[p], 3, [{0: BOX}])
    np.testing.assert_allclose(found.boxes[0], [0.25, 0.25, 0.75, 0.75], atol=0.04)
    quarters = found.masks[0].reshape(2, 8, 2, 8).mean(axis=(1, 3)) / 255
    np.testing.assert_allclose(quarters, [[1, 0], [1, 1]], atol=0.1)
    assert np.isnan(found.boxes[1]).all() and not found.masks[1].any()


def test_memory_does_not_grow_with_the_video(tracker_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, kept, sessions = Sam2Tracker._look, [], set()

    def look(self: Sam2Tracker, session: Any, *arguments: Any, **named: Any) -> Any:
        logits = real(self, session, *arguments, **named)
        (outputs,) = session.output_dict_per_obj.values()
        sessions.add(id(session.cache))
        kept.append((len(session.processed_frames), *(len(part) for part in outputs.values())))
        assert not any("high_res_masks" in one for part in outputs.values() for one in part.values())
        return logits

    monkeypatch.setattr(Sam2Tracker, "_look", look)
    tracker = Sam2Tracker(str(tracker_folder), device="cpu")
    tracker.follow_all(lambda p: NOISE[np.array(p) % 14], 30, [{10: BOX, 20: BOX}, {15: OTHER}])
    assert len(kept) == 2 * 30 and len(sessions) == 1, "one memory of encoded pictures for all"
    assert np.array(kept).max(axis=0)[:2].tolist() == [0, 2]
    assert np.array(kept).max(axis=0)[2] <= 5


def proposers(detector_folder: Path, tracker_folder: Path) -> tuple[GroundedProposer, GroundedProposer]:
    folders = str(detector_folder), str(tracker_folder)
    return GroundedProposer(*folders, device="cpu"), GroundedProposer(*folders, device="cpu", tracking="all")


def test_a_candidate_has_a_box_and_a_mask_on_every_frame_before_the_choice(
    detector_folder: Path, tracker_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truth = straight(41, (8, 20, 40, 52), (116, 36, 148, 68))
    truth[12:19] -= [0, 16, 0, 16]  # between two frames that the detector looks at
    video = paint(tmp_path / "moving.mp4", truth, SIZE)
    coarse, every = proposers(detector_folder, tracker_folder)
    assert coarse.name != every.name, "kept apart on disk"
    prompts, looks = see_red_boxes(monkeypatch), see_red_masks(monkeypatch, blind=(25,))
    (sparse,) = coarse.search(video, "man")
    assert looks == [] and sparse.masks is None
    prompts.clear()
    (track,) = every.search(video, "man")
    assert len(prompts) == 5 and sorted(looks) == list(range(41))
    assert isinstance(track, SightedTrack) and track.sighted.tolist() == [0, 10, 20, 30, 40]
    assert track.frames.tolist() == list(range(41)) and track.masks is not None
    seen = np.delete(np.arange(41), 25)
    assert box_iou(track.boxes[seen], truth[seen] / WHOLE).min() > 0.75
    assert track.masks[seen].mean(axis=(1, 2)).min() > 0.9 * 255, "a square fills its box"
    assert not track.masks[25].any() and track.boxes[25] == pytest.approx(sparse.at(np.array([25]))[0], abs=1e-6)
    looks.clear()
    assert every.densify(video, track, 5, 30) is track and looks == [], "nothing is left to follow after the choice"


def test_how_often_the_models_run(
    detector_folder: Path, tracker_folder: Path, tmp_path: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """SAM 2 after the choice looks at a window; before the choice at the whole video, once for all candidates."""
    video = paint(tmp_path / "moving.mp4", straight(120, (8, 20, 40, 52), (116, 36, 148, 68)), SIZE)
    coarse, every = proposers(detector_folder, tracker_folder)
    prompts = see_red_boxes(monkeypatch)
    (track,) = coarse.search(video, "man")
    coarse.densify(video, track, 50, 60)
    chosen = len(prompts), sum(encoded)
    prompts.clear()
    encoded.clear()
    every.search(video, "man")
    assert chosen == (13, 20 + 11 + 20)
    assert (len(prompts), sum(encoded)) == (13, 120)


def test_a_drawn_box_is_no_mask() -> None:
    masks = np.full((2, 4, 4), 255, np.uint8)
    track = Track(np.array([2, 4]), np.array([[0.1, 0.1, 0.2, 0.2], [0.3, 0.3, 0.4, 0.4]]), masks=masks)
    for frame, has in ((2, [False, True]), (3, [True, False, True]), (9, [True, True, False])):
        found = pinned(track, DrawnBox(frame, np.array([0.5, 0.5, 0.6, 0.6])))
        assert found.masks is not None and found.masks.any(axis=(1, 2)).tolist() == has
    assert masks.all(), "the given track is as it was"


def test_a_window_that_is_followed_once_more_keeps_the_masks_around_it() -> None:
    boxes, window = np.tile(np.float32([0.1, 0.1, 0.5, 0.5]), (5, 1)), np.array([1, 2, 3])
    track = Track(np.arange(5), boxes, masks=np.full((5, 2, 2), 9, np.uint8))
    seen = boxes[:3].copy()
    seen[1] = np.nan
    found = merge(track, window, seen, np.full((3, 2, 2), 7, np.uint8))
    assert found.masks is not None and found.masks[:, 0, 0].tolist() == [9, 7, 0, 7, 9]
    assert merge(track, window, seen).masks is None, "a tracker that gives none leaves none"


def test_what_is_shown_of_each_is_in_the_order_of_time_and_a_long_video_is_thinned_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dense, "MAX_FRAMES", 10)
    sighted = np.array([0, 10, 20, 30, 45])
    one = SightedTrack(
        np.array([0, 45]), np.tile([0.1, 0.1, 0.5, 0.5], (2, 1)), sighted=sighted,
        confidence=np.array([0.5, 0.4, 0.9, 0.6, 0.7]),
    )  # fmt: skip
    frames, (seeds,) = plan_all([one], 50)
    assert frames.tolist() == [0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 49]
    assert list(frames[list(seeds)]) == [0, 20, 30, 45], "the four surest"


def test_masks_are_kept_on_disk(tmp_path: Path) -> None:
    masks = np.random.default_rng(0).integers(0, 255, (2, 16, 16)).astype(np.uint8)
    box = np.tile(np.float32([0.1, 0.1, 0.5, 0.5]), (2, 1))
    plain = Track(np.array([1, 4]), box)
    sighted = SightedTrack(np.array([3, 9]), box, sighted=np.array([3]), confidence=np.ones(1), masks=masks)
    masked = Track(np.array([0, 5]), box, masks=masks[::-1].copy())
    data = to_bytes([sighted, plain, masked], "key")
    first, second, third = from_bytes(data, "key")
    assert first.masks is not None and third.masks is not None and second.masks is None
    np.testing.assert_array_equal(first.masks, masks)
    np.testing.assert_array_equal(third.masks, masks[::-1])
    assert [track.masks for track in from_bytes(to_bytes([plain], "key"), "key")] == [None]


@pytest.mark.parametrize("tracking", ["chosen", "all"])
def test_sentences_that_share_a_noun_share_the_search(
    tracking: Any, detector_folder: Path, tracker_folder: Path, tmp_path: Path, encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also those of other runs, from disk."""
    video = paint(tmp_path / "square.mp4", np.tile([20.0, 30, 60, 80], (21, 1)), SIZE)
    folders = str(detector_folder), str(tracker_folder)
    inner = GroundedProposer(*folders, device="cpu", tracking=tracking)
    prompts = see_red_boxes(monkeypatch)
    cached = CachedProposer(inner, tmp_path / "kept")
    found = [cached.propose(video, phrase) for phrase in ("the man in red", "a man in blue", "the man")]
    assert len(prompts) == 3, "three pictures for one noun"
    assert sum(encoded) == (21 if tracking == "all" else 0)
    assert [track.label for tracks in found for track in tracks] == ["man"] * 3
    cached.propose(video, "the woman in red")
    assert len(prompts) == 6
    see_red_boxes(monkeypatch, word="red")  # neither "dog" nor ...
    prompts.clear()
    assert [track.label for track in cached.propose(video, "the dog in red")] == ["the dog in red"]
    assert len(prompts) == 6, "nothing was found by the noun: the whole phrase"
    prompts.clear()
    assert cached.propose(video, "a dog in blue") == []
    assert len(prompts) == 3, "that there is no dog is known"
