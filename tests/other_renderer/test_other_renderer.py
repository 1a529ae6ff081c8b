"""The second renderer says the truth about what it draws, and draws the same again."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from stvg_core.demo import domain
from stvg_core.video import VideoReader
from tests.other_renderer import SEEDS, scene_of, write
from tests.other_renderer.painting import cover, pictures
from tests.other_renderer.scene import ACTIONS, SHAPES, TINTS, VERBS

NUMBERS = range(60)


def test_the_words_are_those_of_the_domain() -> None:
    assert (set(TINTS), set(SHAPES)) == (set(domain.COLOURS), set(domain.SHAPES))
    assert set(ACTIONS) == set(domain.ACTIONS)
    assert set(VERBS.items()) == set(domain.FINITE_VERB.items())


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centre", [(30.0, 31.0), (30.4, 29.7), (31.23, 30.9)])
def test_a_shape_reaches_exactly_to_its_box(shape: str, centre: tuple[float, float]) -> None:
    """To a quarter of a pixel: in each line of pixels the largest share says where the edge is, but for thin tips."""
    radius = 20.3
    share = cover(shape, centre, radius, (0, 0, 64, 64))
    for axis in (0, 1):
        lines = np.flatnonzero(share.max(axis=axis) > 0)
        low, high = centre[axis] - radius, centre[axis] + radius
        tip = 1.0 if shape in ("triangle", "star") else 0.3  # a tip is thinner than the points that are looked at
        assert low - 1e-9 <= lines[0] + 1 and lines[0] >= np.floor(low) and lines[0] - low <= tip
        assert lines[-1] <= high and high - (lines[-1] + 1) <= tip
    if shape == "square":
        assert share.max(axis=0)[int(centre[0] - radius)] == pytest.approx(1 - (centre[0] - radius) % 1, abs=0.26)


@pytest.mark.parametrize("split", SEEDS)
def test_only_the_target_fits_the_query_and_it_acts_when_it_is_said_to(split: str) -> None:
    for number in NUMBERS:
        scene = scene_of(split, number)
        target = scene.things[scene.target]
        same = [(t.colour, t.shape, t.action) for t in scene.things].count((target.colour, target.shape, target.action))
        assert same == 1 and target.colour in scene.query and target.shape in scene.query
        assert 4 * scene.fps - 1 <= scene.n_frames <= 30 * scene.fps + 1
        assert 0 <= target.first < target.last < scene.n_frames
        poses = target.poses(np.arange(scene.n_frames), scene.fps)
        change = np.flatnonzero(np.abs(np.diff(poses, axis=0)).max(axis=1) > 0) + 1
        assert change[0] == target.first and change[-1] in (target.last, target.last + 1)
        assert np.isfinite(target.boxes(np.arange(scene.n_frames), scene.fps, scene.width, scene.height)).all()
        assert len(scene.truth.boxes) == target.last - target.first + 1


def test_the_splits_share_no_scene_and_a_seed_gives_the_same_again() -> None:
    assert abs(SEEDS["test"] - SEEDS["validation"]) > 1_000_000
    scene = scene_of("validation", 3)
    assert scene == scene_of("validation", 3) != scene_of("test", 3)
    one, other = (list(islice(pictures(scene), 3)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert (one[0] != one[1]).any(), "each frame has its own noise"


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_file_has_every_frame(codec: str, tmp_path: Path) -> None:
    scene = scene_of("validation", 5)
    scene = replace(scene, n_frames=12, codec=codec)
    with VideoReader(write(tmp_path / "clip.mp4", scene)) as video:
        assert (video.info.width, video.info.height, video.info.n_frames) == (scene.width, scene.height, 12)
        assert video.info.fps == pytest.approx(scene.fps)
        seen = video.read(np.array([7])).pixels[0].astype(int)
    drawn = next(islice(pictures(scene), 7, None)).astype(int)
    assert np.abs(seen - drawn).mean() < 12
