"""Scenes: deterministic, unambiguous, and their boxes agree with what is drawn."""

import numpy as np
import pytest

from stvg_core.demo.backdrops import BRIGHTEST_LIGHT, KINDS, backdrop_of
from stvg_core.demo.domain import USUAL, WIDE
from stvg_core.demo.scenes import (
    ACTIONS,
    COLOURS,
    DIRECTIONS,
    FRAME_RATES,
    SHAPES,
    Scene,
    SceneObject,
    describe,
    render,
    sample_scene,
    uniform_frames,
)

LEVELS = ("easy", "medium", "hard")


def scenes(count: int, **choices) -> list[Scene]:
    return [sample_scene(np.random.default_rng(seed), difficulty=LEVELS[seed % 3], **choices) for seed in range(count)]


def test_same_seed_same_scene_and_pixels():
    first, second = (sample_scene(np.random.default_rng(7)) for _ in range(2))
    assert first == second
    frames = uniform_frames(first.n_frames, 3)
    assert np.array_equal(render(first, frames), render(second, frames))


def test_a_frame_does_not_depend_on_its_neighbours():
    scene = sample_scene(np.random.default_rng(8))
    assert np.array_equal(render(scene, np.array([3, 50]))[1], render(scene, np.array([50]))[0])


def test_query_fits_the_target_only():
    for scene in scenes(120):
        target = scene.objects[scene.target]
        triple = (target.colour, target.shape, target.action)
        assert [(o.colour, o.shape, o.action) for o in scene.objects].count(triple) == 1
        assert scene.query in [describe(*triple, phrasing=p) for p in range(3)]


def test_domain_is_covered_and_bounded():
    drawn = scenes(200)
    assert {o.colour for s in drawn for o in s.objects} == set(COLOURS)
    assert {o.shape for s in drawn for o in s.objects} == set(SHAPES)
    assert {s.objects[s.target].action for s in drawn} == set(ACTIONS)
    for scene in drawn:
        assert 3 <= len(scene.objects) <= 7
        assert scene.fps in FRAME_RATES
        assert 5.9 <= scene.duration <= 20.1
        start, end = scene.truth
        assert 0 <= start < end < scene.n_frames


def test_the_wide_world_reaches_further_in_every_direction():
    drawn = scenes(200, world=WIDE)
    assert {s.backdrop for s in drawn} == set(WIDE.backdrops)
    assert {s.fps for s in drawn} == set(WIDE.frame_rates)
    assert {(s.width, s.height) for s in drawn} == set(WIDE.frame_sizes)
    assert min(s.duration for s in drawn) < 5 and max(s.duration for s in drawn) > 35
    objects = [o for s in drawn for o in s.objects]
    moved = [o.amount for o in objects if o.action in DIRECTIONS]
    assert min(moved) < USUAL.travel[0] and max(moved) > USUAL.travel[1]
    assert all(WIDE.travel[0] <= amount <= WIDE.travel[1] for amount in moved)
    assert len({o.ease for o in objects}) > 100 and len({o.faint for o in objects}) > 100


@pytest.mark.parametrize("ease", [0.0, 0.5, 1.0])
def test_an_eased_way_goes_forward_from_start_to_end(ease: float):
    moving = SceneObject("red", "circle", "moving right", 10, 50, (0.2, 0.5), 0.1, 0.6, 1.0, (222, 32, 38), ease=ease)
    x = moving.pose(np.arange(61), 25.0)[:, 0]
    assert x[:11] == pytest.approx(0.2) and x[50:] == pytest.approx(0.8) and x[30] == pytest.approx(0.5)
    steps = np.diff(x[10:51])
    assert (steps > 0).all()
    assert steps[0] == pytest.approx(0.015 * (1 - ease), abs=2e-3)  # 0.6 in 40 frames where the speed is even
    assert steps[20] == pytest.approx(0.015 * (1 + ease / 2), abs=2e-3)


def test_what_blinks_keeps_its_faint_share():
    blinking = SceneObject("red", "circle", "blinking", 0, 99, (0.5, 0.5), 0.1, 0.6, 0.8, (222, 32, 38), faint=0.3)
    assert {round(float(o), 3) for o in blinking.pose(np.arange(100), 25.0)[:, 3]} == {0.8, 0.24}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_backdrops_are_dull_and_the_same_for_the_same_seed(kind: str):
    first, noise = backdrop_of(kind, 5, 60, 40, (2.0, 7.0))
    again, _ = backdrop_of(kind, 5, 60, 40, (2.0, 7.0))
    other, _ = backdrop_of(kind, 6, 60, 40, (2.0, 7.0))
    assert first.shape == (40, 60, 3) and first.dtype == np.uint8 and 2.0 <= noise <= 7.0
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert first.max() <= BRIGHTEST_LIGHT  # a white object is still seen on it


def test_duplicates_by_look_occur():
    twins = 0
    for scene in scenes(90):
        target = scene.objects[scene.target]
        twins += sum((o.colour, o.shape) == (target.colour, target.shape) for o in scene.objects) > 1
    assert 20 < twins < 80


@pytest.mark.parametrize("form, words", [(0, "moving left"), (1, "that moves left"), (2, "moves left")])
def test_phrasings(form: int, words: str):
    query = sample_scene(np.random.default_rng(1), action="moving left", phrasing=form).query
    assert query.endswith(words)
    assert query.split()[0] == ("a" if form == 2 else "the")


def test_target_stands_still_outside_its_action_and_is_always_visible_in_it():
    for scene in scenes(60):
        boxes = scene.boxes(scene.target)
        start, end = scene.truth
        assert not np.isnan(boxes[start : end + 1]).any()
        assert (boxes[:start] == boxes[:1]).all()
        assert (boxes[end + 1 :] == boxes[-1:]).all()


@pytest.mark.parametrize("action", sorted(DIRECTIONS))
def test_motion_goes_the_way_it_is_called(action: str):
    for seed in range(5):
        scene = sample_scene(np.random.default_rng(seed), action=action)
        start, end = scene.truth
        boxes = scene.boxes(scene.target, np.array([start, end]))
        shift = (boxes[1] - boxes[0]).reshape(2, 2).mean(axis=0)
        assert np.abs(shift).argmax() == np.abs(DIRECTIONS[action]).argmax()
        assert shift @ np.array(DIRECTIONS[action]) > 0.25


@pytest.mark.parametrize("action, grows", [("growing", True), ("shrinking", False)])
def test_size_changes_the_way_it_is_called(action: str, grows: bool):
    scene = sample_scene(np.random.default_rng(3), action=action)
    width = np.diff(scene.boxes(scene.target, np.array(scene.truth))[:, ::2], axis=1).ravel()
    assert (width[1] > width[0]) is np.bool_(grows)


@pytest.mark.parametrize("size", [None, (96, 96), (300, 120)])
def test_boxes_agree_with_pixels(size: tuple[int, int] | None):
    """Drawing the scene without the target changes pixels inside the target's box only, and up to its edges."""
    for seed in range(6):
        scene = sample_scene(np.random.default_rng(seed), n_objects=3, difficulty="easy")
        frames = np.array(scene.truth)
        rest = tuple(o for i, o in enumerate(scene.objects) if i != scene.target)
        last = (*rest, scene.objects[scene.target])  # nothing in front of it
        with_it = render(Scene(**{**vars(scene), "objects": last}), frames, size)
        without = render(Scene(**{**vars(scene), "objects": rest}), frames, size)
        height, width = with_it.shape[1:3]
        for t, box in enumerate(scene.boxes(scene.target, frames)):
            changed = np.abs(with_it[t].astype(int) - without[t]).max(axis=-1) > 12
            rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
            drawn = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=float)
            assert np.abs(drawn - box * [width, height, width, height]).max() < 2.0


def test_uniform_frames_holds_both_ends():
    assert uniform_frames(100, 20)[[0, -1]].tolist() == [0, 99]
    assert len(set(uniform_frames(60, 20))) == 20
