"""Measured boxes: sub-pixel edges, tips, neighbours of the same colour, covered parts; and when the object acts."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from stvg_core.boxes import box_iou
from stvg_core.proposals.believing import as_expected, believed
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.exact import exact
from stvg_core.proposals.resting import Course, acts, rests, smooth, steady
from stvg_core.proposals.tightening import Crop, main_colour, measure
from stvg_core.tube import Track
from stvg_core.video import VideoReader
from stvg_core.video.h264 import h264_file
from tests.other_renderer.painting import cover

WIDTH, HEIGHT, FPS = 160, 120, 20.0
SIZE = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], float)
RED, BLUE = (214, 36, 40), (40, 60, 200)


def picture(things: list[tuple[str, tuple[float, float], float, tuple[int, int, int]]], seed: int = 0) -> np.ndarray:
    """Shapes over a noisy grey ground, the last one on top: name, centre, radius, colour."""
    canvas = np.full((HEIGHT, WIDTH, 3), 110.0) + np.random.default_rng(seed).normal(0, 3, (HEIGHT, WIDTH, 1))
    for shape, centre, radius, tint in things:
        share = cover(shape, centre, radius, (0, 0, WIDTH, HEIGHT))[..., None]
        canvas += share * (np.array(tint) - canvas)
    return canvas.clip(0, 255).astype(np.uint8)


def box(centre: tuple[float, float], radius: float) -> np.ndarray:
    return np.array([centre[0] - radius, centre[1] - radius, centre[0] + radius, centre[1] + radius], float)


def measured(pictures: list[np.ndarray], expected: np.ndarray) -> np.ndarray:
    crops = [Crop.of(one, near) for one, near in zip(pictures, expected, strict=True)]
    colour = main_colour(crops, expected)
    assert colour is not None
    return measure(crops, expected, colour).boxes


@pytest.mark.parametrize("shape", ["circle", "square", "ring", "cross"])
@pytest.mark.parametrize("at", [(70.0, 60.0), (70.4, 59.7), (71.25, 60.5)])
def test_edges_are_found_between_pixels(shape: str, at: tuple[float, float]) -> None:
    """The proposer's box is three pixels aside and two too large."""
    true = box(at, 20.3)
    found = measured([picture([(shape, at, 20.3, RED)])], (true + np.array([1, 1, 5, 5]))[None])[0]
    assert np.abs(found - true).max() < 0.35


@pytest.mark.parametrize("shape", ["triangle", "star"])
def test_tips_are_not_cut_off(shape: str) -> None:
    """A tip is thinner than a pixel before it ends: half of a pixel's share comes pixels too late."""
    at, radius = (70.4, 59.7), 24.0
    true = box(at, radius)
    found = measured([picture([(shape, at, radius, RED)])], true[None] + 2)[0]
    assert np.abs(found - true).max() < 1.0 and box_iou(found[None], true[None])[0] > 0.965


def test_an_object_that_leaves_is_cut_at_the_border() -> None:
    true = box((8.0, 60.0), 20.0).clip(0)
    found = measured([picture([("square", (8.0, 60.0), 20.0, RED)])], true[None])[0]
    assert found[0] == 0 and np.abs(found - true).max() < 0.4


def test_what_has_no_colour_of_its_own_gives_no_answer() -> None:
    grey, expected = picture([]), box((70, 60), 20)[None]
    crops = [Crop.of(grey, expected[0])]
    colour = main_colour(crops, expected)
    assert colour is None or not np.isfinite(measure(crops, expected, colour).boxes).any()


def test_a_neighbour_of_the_same_colour_that_touches_does_not_stretch_the_box() -> None:
    """The object goes right until it touches another one: its size stays, its free edge leads."""
    x = np.linspace(40, 88, 60)
    pictures = [
        picture([("square", (118.0, 60.0), 12.0, RED), ("square", (c, 60.0), 18.0, RED)], n) for n, c in enumerate(x)
    ]
    true = np.stack([box((c, 60.0), 18.0) for c in x])
    raw = measured(pictures, true)
    assert (raw[-1] - true[-1])[2] > 10, "what is measured is both of them"
    found, known = believed(raw, true + np.array([2, 2, 2, 2]), FPS, WIDTH, HEIGHT)
    assert known[:40].all() and not known[-1]
    assert box_iou(found, true).min() > 0.93


def test_what_touches_all_the_time_is_told_by_the_proposers_size() -> None:
    """Measured is half as wide again as proposed, on each picture: there is no answer then. A lag is no other size."""
    near = np.stack([box((40 + n, 60), 10) for n in range(20)])
    both = near + np.array([0, 0, 10, 0])
    assert (
        not as_expected(both, near) and as_expected(near + 8, near) and as_expected(near + np.array([0, 0, 3, 0]), near)
    )


def test_a_late_part_of_another_size_is_not_taken_for_growth() -> None:
    """Ten seconds at one size, a gap, and then something half as wide again, with which the proposer does not agree."""
    near = np.tile(box((60, 60), 10), (140, 1))
    found = near.copy()
    found[100:110] = np.nan
    found[110:] += np.array([0, 0, 10, 0])
    out, known = believed(found, near, 10.0, WIDTH, HEIGHT)
    assert known[:100].all() and not known[100:].any()
    assert box_iou(out, near).min() > 0.95


def test_a_box_that_is_not_found_lies_between_its_neighbours() -> None:
    true = np.stack([box((40 + n, 60), 10) for n in range(20)])
    holes = true.copy()
    holes[[5, 6, 12]] = np.nan
    found, known = believed(holes, true, FPS, WIDTH, HEIGHT)
    np.testing.assert_allclose(found, true, atol=1e-6)
    assert np.flatnonzero(~known).tolist() == [5, 6, 12]
    nothing, none = believed(np.full((20, 4), np.nan), true, FPS, WIDTH, HEIGHT)
    np.testing.assert_array_equal(nothing, true)
    assert not none.any()


def course(boxes: np.ndarray, shown: np.ndarray | None = None) -> Course:
    noisy = boxes + np.random.default_rng(0).normal(0, 0.1, boxes.shape)
    shown = np.ones(len(boxes)) if shown is None else shown
    return Course.of(noisy, shown, np.ones(len(boxes), bool), FPS)


def still(count: int = 160) -> np.ndarray:
    return np.tile(box((60, 60), 20), (count, 1))


def acts_of(one: Course) -> list[tuple[int, int]]:
    return acts(rests(one), one)


def one_act(kind: str) -> tuple[np.ndarray, np.ndarray]:
    """160 boxes and how much is seen of them; rows 60 to 109 act."""
    boxes, shown, share = still(), np.ones(160), ((np.arange(160) - 59) / 50).clip(0, 1)
    acting = (np.arange(160) >= 60) & (np.arange(160) <= 109)
    if kind == "moving":
        boxes += share[:, None] * np.array([60, 0, 60, 0])
    elif kind == "moving softly":
        boxes += (share * share * (3 - 2 * share))[:, None] * np.array([60, 0, 60, 0])
    elif kind == "growing":
        boxes += share[:, None] * np.array([-16, -16, 16, 16])
    elif kind == "shaking":
        wave = np.sin(2 * np.pi * 2.7 * (np.arange(160) - 60) / FPS + 0.6) * 6 * acting
        boxes += wave[:, None] * np.array([1, 0.6, 1, 0.6])
    else:
        shown[acting & ((np.arange(160) - 60) % 12 < 6)] = 0.2
        shown[109] = 0.2
    return boxes, shown


@pytest.mark.parametrize(
    ("kind", "off"), [("moving", 1), ("moving softly", 4), ("growing", 3), ("shaking", 1), ("blinking", 0)]
)
def test_an_act_between_two_rests_is_found_to_the_frame_or_nearly(kind: str, off: int) -> None:
    """Frames that it may be off; 4 are a fifth of a second. The same backwards in time."""
    boxes, shown = one_act(kind)
    ((first, last),) = acts_of(course(boxes, shown))
    assert abs(first - 60) <= off and abs(last - 109) <= off
    ((first, last),) = acts_of(course(boxes[::-1].copy(), shown[::-1].copy()))
    assert abs(first - 50) <= off and abs(last - 99) <= off


def test_what_never_rests_has_no_clear_ends_and_what_always_rests_does_nothing() -> None:
    moving = still() + np.linspace(0, 60, 160)[:, None] * np.array([1, 0, 1, 0])
    assert acts_of(course(moving)) == []
    assert acts_of(course(still())) == []
    begins = still() + ((np.arange(160) - 59) / 50).clip(0)[:, None] * np.array([30, 0, 30, 0])
    ((first, last),) = acts_of(course(begins))
    assert abs(first - 60) <= 1 and last == -1, "the clip ends before it rests"


def test_shaking_is_no_noise_where_there_is_little_else() -> None:
    """Nearly all of a short clip, at few frames per second: it was once taken for one long rest."""
    wave = np.sin(2 * np.pi * 3.46 * np.arange(60) / 15 + 0.6) * 10 * (np.arange(60) > 4)
    boxes = still(60) + wave[:, None] * np.array([1, 0.6, 1, 0.6])
    one = Course.of(boxes, np.ones(60), np.ones(60, bool), 15.0)
    assert rests(one) in ([], [(0, 4)])
    assert np.abs(steady(boxes, rests(one), np.ones(60, bool), 15.0) - boxes).max() < 3


def test_a_key_frame_that_moves_the_edges_at_once_ends_no_rest() -> None:
    """The file draws a resting object anew, 1.5 pixels further. The same backwards in time."""
    boxes, _ = one_act("moving")
    boxes[135:] += np.array([1.5, 0, 1.5, 0])
    for way, begins, ends in ((1, 60, 109), (-1, 50, 99)):
        one = course(boxes[::way].copy())
        ((first, last),) = acts_of(one)
        assert abs(first - begins) <= 1 and abs(last - ends) <= 1
        assert len(rests(one)) == 3, "each part has a box of its own"


def test_slow_growth_is_no_row_of_rests() -> None:
    """Three hundredths of a side each second: within a rest's time it hardly differs."""
    boxes = still(400) + (np.arange(400) / FPS)[:, None] * 0.6 * np.array([-1, -1, 1, 1])
    assert len(rests(course(boxes))) <= 1


def test_a_rest_has_one_box_and_smoothing_keeps_what_shakes() -> None:
    boxes, _ = one_act("shaking")
    noisy = boxes + np.random.default_rng(1).normal(0, 0.3, boxes.shape)
    known = np.ones(160, bool)
    out = steady(noisy, [(0, 59), (110, 159)], known, FPS)
    assert (out[:60] == out[0]).all() and np.abs(out[0] - boxes[0]).max() < 0.15
    assert np.abs(out[60:110] - boxes[60:110]).max() < 2.0, "a wave of 6 pixels is not flattened"
    line = still() + np.linspace(0, 80, 160)[:, None] * np.array([1, 0, 1, 0])
    rough = line + np.random.default_rng(2).normal(0, 0.5, line.shape)
    rough[70] += 9
    assert np.abs(smooth(rough, 4) - line).max() < np.abs(np.delete(rough - line, 70, axis=0)).max(), (
        "no lag, no outlier"
    )


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A red circle that rests, moves right on frames 30 to 69, and rests; a blue square stands by."""
    path = tmp_path_factory.mktemp("clips") / "circle.mp4"
    with h264_file(path, Fraction(20), (WIDTH, HEIGHT), crf=24) as write:
        for n in range(100):
            write(picture([("square", (130, 95), 14, BLUE), ("circle", (centre(n), 50.3), 18.2, RED)], n), n)
    return path


def centre(frame: int) -> float:
    return 40.4 + 60 * float(np.clip((frame - 29) / 40, 0, 1))


TRUTH = np.stack([box((centre(n), 50.3), 18.2) for n in range(100)]) / SIZE


def proposed(source: str, off: float = 2.0) -> Track:
    """As a proposer has it: every fourth frame, some pixels aside."""
    frames = np.append(np.arange(0, 99, 4), 99)
    return Track(frames, TRUTH[frames] + off * np.array([1, -1, 1, 1]) / SIZE, 0.7, source)


def test_the_chosen_track_is_measured_on_every_frame(clip: Path) -> None:
    with VideoReader(clip) as video:
        track = EmbeddedProposer().densify(video, proposed("regions"), 35, 60)
    assert track.frames[0] == 0 and track.frames[-1] == 99 and {*range(20, 80)} <= set(track.frames.tolist())
    assert box_iou(track.at(np.arange(20, 80)), TRUTH[20:80]).min() > 0.94
    assert track.acts is not None
    ((first, last),) = track.acts.tolist()
    assert abs(first - 30) <= 2 and abs(last - 69) <= 2, "the encoder leaves traces for some frames"
    assert (track.score, track.source) == (0.7, "regions")


def test_boxes_of_other_people_stay_and_a_drawn_track_keeps_its_margins(clip: Path) -> None:
    with VideoReader(clip) as video:
        for source in ("file", "oracle", ""):
            given = proposed(source)
            assert exact(video, given, 35, 60) is given
        drawn = proposed("drawn")
        found = exact(video, drawn, 35, 60)
    np.testing.assert_array_equal(found.boxes, drawn.boxes)
    assert found.acts is not None and len(found.acts) == 1


def test_another_box_than_the_proposers_is_not_taken(clip: Path) -> None:
    """Around the circle and much of the ground, as a person around a red shirt."""
    frames = np.arange(0, 100, 4)
    loose = Track(frames, (TRUTH[frames] * SIZE + [-22, -25, 22, 60]) / SIZE, 0.5, "people")
    with VideoReader(clip) as video:
        assert exact(video, loose, 35, 60) is loose
