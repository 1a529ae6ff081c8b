"""The embedded proposer finds what is there: moving, blinking, still; and nothing where nothing is."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stvg_core.boxes import box_iou
from stvg_core.proposals import EmbeddedProposer, FixedTracks
from stvg_core.tube import Track
from stvg_core.video import VideoReader
from stvg_core.video.h264 import h264_file

WIDTH, HEIGHT, FRAMES = 160, 120, 40


def truth() -> dict[str, np.ndarray]:
    """Normalised xyxy ``(FRAMES, 4)`` of a still, a moving and a blinking square."""
    x = np.linspace(10, 100, FRAMES).round()
    boxes = {
        "still": np.tile([110, 70, 140, 100], (FRAMES, 1)),
        "moving": np.stack([x, 0 * x + 10, x + 26, 0 * x + 34], axis=1),
        "blinking": np.tile([20, 75, 50, 103], (FRAMES, 1)),
    }
    return {name: b / (WIDTH, HEIGHT, WIDTH, HEIGHT) for name, b in boxes.items()}


@pytest.fixture(scope="module")
def tracks(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    path = tmp_path_factory.mktemp("clips") / "squares.mp4"
    rng = np.random.default_rng(0)
    texture = 90 + rng.normal(0, 12, (HEIGHT // 8, WIDTH // 8, 1)).repeat(8, 0).repeat(8, 1)
    colours = {"still": (30, 60, 210), "moving": (220, 40, 40), "blinking": (230, 220, 40)}
    with h264_file(path, Fraction(10), (WIDTH, HEIGHT)) as write:
        for t in range(FRAMES):
            picture = texture + rng.normal(0, 4, (HEIGHT, WIDTH, 3))
            for name, boxes in truth().items():
                if name == "blinking" and t % 7 in (2, 3):
                    continue
                x1, y1, x2, y2 = (boxes[t] * (WIDTH, HEIGHT, WIDTH, HEIGHT)).round().astype(int)
                picture[y1:y2, x1:x2] = colours[name]
            write(picture.clip(0, 255).astype(np.uint8), t)
    with VideoReader(path) as video:
        found = EmbeddedProposer().propose(video)
    with VideoReader(path) as video:
        again = EmbeddedProposer().propose(video)
    assert [t.boxes.tolist() for t in found] == [t.boxes.tolist() for t in again]  # the same every time
    return found


@pytest.mark.parametrize("name", ["still", "moving", "blinking"])
def test_finds_it_on_the_whole_clip(name: str, tracks: list[Track]) -> None:
    best = max(float(box_iou(track.at(np.arange(FRAMES)), truth()[name]).mean()) for track in tracks)
    assert best > 0.75


def test_tracks_are_few_ordered_inside_and_distinct(tracks: list[Track]) -> None:
    assert len(tracks) <= 30
    assert [track.score for track in tracks] == sorted((track.score for track in tracks), reverse=True)
    every = np.arange(FRAMES)
    for number, track in enumerate(tracks):
        assert 0 <= track.score <= 1
        assert track.boxes.min() >= 0 and track.boxes.max() <= 1
        for other in tracks[:number]:
            assert box_iou(track.at(every), other.at(every)).mean() <= 0.6


@pytest.mark.parametrize("frames", [1, 3])
def test_blank_and_tiny_videos(frames: int, tmp_path: Path) -> None:
    path = tmp_path / "blank.mp4"
    with h264_file(path, Fraction(10), (64, 48)) as write:
        for t in range(frames):
            write(np.full((48, 64, 3), 90, np.uint8), t)
    with VideoReader(path) as video:
        assert EmbeddedProposer().propose(video) == []


def test_fixed_tracks_are_handed_back(tracks: list[Track]) -> None:
    assert FixedTracks(tracks[:2]).propose(None, "anything") == tracks[:2]  # type: ignore[arg-type]
