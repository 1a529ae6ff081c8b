"""The measure of proposals, and what the embedded proposer reaches on a rendered and on a real clip."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.proposer_recall import mot_tracks, real, synthetic
from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.proposals.recall import best_overlaps, covered_frames, interval_over_clips
from stvg_core.tube import Track, VideoInfo


def track(first: int, last: int, x: float) -> Track:
    frames = np.arange(first, last + 1)
    return Track(frames, np.tile([x, 0.0, x + 0.5, 1.0], (len(frames), 1)))


def test_only_the_true_frames_count_and_a_missing_box_is_a_miss() -> None:
    truth = track(10, 19, 0.0)
    assert best_overlaps([track(0, 40, 0.0)], [truth]) == pytest.approx([1.0])  # longer does not matter
    assert best_overlaps([track(10, 13, 0.0)], [truth]) == pytest.approx([0.4])
    assert best_overlaps([track(0, 40, 0.25)], [truth]) == pytest.approx([1 / 3], abs=1e-6)
    assert best_overlaps([], [truth, truth]).tolist() == [0.0, 0.0]


def test_one_track_may_cover_less_than_all_of_them() -> None:
    truth = track(0, 9, 0.0)
    assert covered_frames([track(0, 3, 0.0), track(4, 9, 0.0), track(0, 9, 0.4)], truth) == (6, 10)
    assert covered_frames([], truth) == (0, 0)


def test_the_interval_holds_the_share_and_shrinks_with_more_clips() -> None:
    few, many = (
        interval_over_clips([3, 4, 5, 2], [4, 4, 5, 5]),
        interval_over_clips([3, 4, 5, 2] * 20, [4, 4, 5, 5] * 20),
    )
    assert few[0] < many[0] < 14 / 18 < many[1] < few[1]
    assert interval_over_clips([5, 4], [5, 4]) == (1.0, 1.0)


def test_mot_counts_frames_and_pixels_from_one(tmp_path: Path) -> None:
    lines = ["2,7,11,21,40,30,1,-1,-1,-1", "1,7,1,1,40,30,1,-1,-1,-1", "1,9,1,1,40,30,0,-1,-1,-1"]  # 9 is not to count
    (tmp_path / "gt.txt").write_text("\n".join(lines))
    info = VideoInfo("clip.mp4", 200, 100, 25, 1, 5, 0.2)
    (person,) = mot_tracks(tmp_path / "gt.txt", info)
    assert (person.label, person.frames.tolist()) == ("7", [0, 1])
    assert person.boxes == pytest.approx(np.array([[0, 0, 0.2, 0.3], [0.05, 0.2, 0.25, 0.5]]))


def test_most_true_objects_of_unseen_clips_are_followed() -> None:
    """Two clips only: the figure is in docs/proposals.md."""
    report = synthetic("validation", "medium", range(300, 302))
    assert report["objects"] == sum(row["objects"] for row in report["rows"]) >= 6
    assert report["recall"] >= 0.8


def test_a_folder_with_a_clip_and_mot_tracks_is_measured(tmp_path: Path) -> None:
    scene = split_scene("validation", 301)
    write_clip(tmp_path / "clip.mp4", scene)
    lines = [
        f"{frame + 1},{number},{x1 + 1},{y1 + 1},{x2 - x1},{y2 - y1},1,-1,-1,-1"
        for number in range(len(scene.objects))
        for frame, (x1, y1, x2, y2) in enumerate(scene.boxes(number) * np.array([scene.width, scene.height] * 2))
        if np.isfinite(x1)
    ]
    (tmp_path / "gt.txt").write_text("\n".join(lines))
    report = real(tmp_path)
    assert (report["people"], report["boxes"]) == (len(scene.objects), len(lines))
    assert report["covered_by_best_single_track"] >= 0.6
    assert report["covered_by_any_track"] >= report["covered_by_best_single_track"]
