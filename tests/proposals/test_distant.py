"""Small people far away: found where the camera stands still; and it is said where nothing is worth choosing from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stvg_core.method.tracks import none_worth_choosing
from stvg_core.proposals import EmbeddedProposer
from stvg_core.proposals.motion import MedianMotion
from stvg_core.proposals.recall import best_overlaps
from stvg_core.tube import NOTHING_MOVES, Track, look_warnings
from stvg_core.video import VideoReader
from stvg_core.video.h264 import h264_file

WIDTH, HEIGHT, FRAMES = 1280, 720, 50
SIZE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT])


def walkers() -> list[np.ndarray]:
    """``(FRAMES, 4)`` boxes in pixels of three people of 20 x 47 pixels who walk sideways."""
    steps = np.arange(FRAMES)[:, None] * np.array([1, 0, 1, 0])
    starts = np.array([[200, 300, 220, 347], [900, 310, 920, 357], [500, 420, 520, 467]])
    return [start + way * 4 * steps for start, way in zip(starts, (1, -1, 1), strict=True)]


def film(path: Path, people: list[np.ndarray]) -> Path:
    """A street of even-coloured houses; people have a dark coat, light legs and a head."""
    rng = np.random.default_rng(0)
    ground = np.full((HEIGHT, WIDTH, 3), 130.0) + rng.normal(0, 2, (HEIGHT // 8, WIDTH // 8, 1)).repeat(8, 0).repeat(
        8, 1
    )
    for n in range(6):
        ground[40:200, 60 + 200 * n : 200 + 200 * n] = (150 + 12 * n, 110, 90 + 20 * n)
    with h264_file(path, Fraction(10), (WIDTH, HEIGHT)) as write:
        for t in range(FRAMES):
            picture = ground + rng.normal(0, 2, (HEIGHT, WIDTH, 1))
            for boxes in people:
                x1, y1, x2, y2 = boxes[t].astype(int)
                picture[y1 : y1 + 9, x1 + 6 : x2 - 6] = (200, 150, 130)
                picture[y1 + 9 : y1 + 28, x1:x2] = (60, 50, 70)
                picture[y1 + 28 : y2, x1 + 3 : x2 - 3] = (90, 100, 190)
            write(picture.clip(0, 255).astype(np.uint8), t)
    return path


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> list[Track]:
    with VideoReader(film(tmp_path_factory.mktemp("street") / "street.mp4", walkers())) as video:
        return EmbeddedProposer().propose(video)


def test_people_of_twenty_pixels_are_followed(street: list[Track]) -> None:
    truths = [Track(np.arange(FRAMES), boxes / SIZE) for boxes in walkers()]
    assert best_overlaps(street, truths).min() > 0.6
    assert {track.source for track in street} >= {"distant", "regions"}
    assert max(track.boxes.max() for track in street) <= 1


def at_slots(tracks: list[Track]) -> np.ndarray:
    return np.stack([track.at(np.linspace(0, FRAMES - 1, 20).astype(int)) for track in tracks])


def test_an_empty_street_has_nothing_worth_choosing_from_and_a_walked_one_has(
    street: list[Track], tmp_path: Path
) -> None:
    with VideoReader(film(tmp_path / "empty.mp4", [])) as video:
        empty = EmbeddedProposer().propose(video)
        pictures = video.read(np.arange(0, FRAMES, 4), max_side=320).pixels
    assert not MedianMotion(pictures).has_specks(pictures)
    assert empty and none_worth_choosing(empty, at_slots(empty))
    assert not none_worth_choosing(street, at_slots(street))


def test_the_sentence_says_what_to_do() -> None:
    (said,) = look_warnings({NOTHING_MOVES: 24}, 24)
    assert "None of the 24 candidates moves" in said and "draw a box" in said
    assert look_warnings({}, 24) == []
