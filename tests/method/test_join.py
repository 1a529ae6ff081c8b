"""From hand-written rows to an exact tube: the choice, and its refinement by a second look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from stvg_core.method.evidence import Evidence, Rows, SecondLook
from stvg_core.method.join import Choice, join, refine, second_look_of, second_scores
from stvg_core.method.maps import maps
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track

FRAMES, T = 400, 20
SLOTS = np.arange(10, FRAMES, 20)
SETTINGS = GroundingSettings(n_slots=T, tas=False, attention="raw", role_tokens="token-1", second_look=True)
LEFT, RIGHT = [0.0, 0.0, 0.5, 1.0], [0.5, 0.0, 1.0, 1.0]


def tracks() -> list[Track]:
    return [Track(np.array([0, FRAMES - 1]), np.tile(np.float32(box), (2, 1)), 1.0) for box in (LEFT, RIGHT)]


def rows_of(where: list[float], when: list[float]) -> Rows:
    """One token and two cells, left and right: the first list is A_S of (left, right), the second A_T of the right."""
    spatial = np.tile(np.float32(where), (1, len(when), 1, 1))
    temporal = np.stack([np.zeros(len(when)), when], axis=1).astype(np.float32).reshape(1, -1, 1, 2)
    return Rows(spatial, temporal, np.ones_like(spatial))


def first(settings: GroundingSettings = SETTINGS, through: int | None = None) -> tuple[Evidence, Choice]:
    rows = rows_of([0.25, 0.75], [0, 0, 0, 1, 1, 1] + [0] * 14)
    return join(rows, maps(rows, settings), tracks(), SLOTS, lambda boxes: boxes, FRAMES, settings, 0.0, through)


def test_the_brighter_track_is_chosen_and_its_bright_slots_are_its_frames() -> None:
    evidence, choice = first()
    np.testing.assert_allclose(evidence.track_scores, [0.25, 0.75])
    np.testing.assert_array_equal(evidence.frame_scores[0], np.zeros(T))
    assert choice.chosen == evidence.chosen == 1
    assert evidence.info["looks"] == SETTINGS.looks_digest() and evidence.info["n_frames"] == FRAMES
    assert evidence.spatial_map.dtype == evidence.temporal_map.dtype == np.float16
    np.testing.assert_array_equal(evidence.spatial_map[4], np.float16([[1 / 3, 1]]))
    assert choice.span == (61, 120), "slots 3 to 5, as far as halfway to their neighbours"
    # sqrt of (1 - .25 / .75) for the track, and of (1 - 0) / (1 + 0) for the frames
    assert choice.score == pytest.approx(np.sqrt(2 / 3))
    assert evidence.info["n_frames"] == FRAMES and evidence.info["choice_weight"] == 0.0


def test_a_frame_that_must_be_inside_is() -> None:
    _, choice = first(through=300)
    assert choice.chosen == 1 and choice.span[0] <= 300 <= choice.span[1]


def again(seen: list[float], asked: list[tuple[int, int]]) -> tuple[SecondLook, Array]:
    within = asked[-1]
    slots = np.linspace(*within, len(seen)).round().astype(int)
    second = second_look_of(
        rows_of([0.5, 0.5], seen), within, slots, lambda boxes: boxes, tracks(), 1, tracks()[1]
    )  # fmt: skip
    return second, second_scores(second, SETTINGS)


def test_a_second_look_sets_the_ends_and_nothing_else() -> None:
    evidence, choice = first()
    asked: list[tuple[int, int]] = []

    def look_again(within: tuple[int, int]) -> tuple[SecondLook, Array]:
        asked.append(within)
        return again([0, 0, 1, 1, 0, 0, 0], asked)

    found = refine(choice, tracks()[1], evidence, SETTINGS, look_again)
    assert asked == [(1, 180)], "three sampled frames of the first look on both sides"
    assert found.chosen == 1 and found.second is not None and found.second.window == (1, 180) and not found.lost
    np.testing.assert_array_equal(found.track.boxes, tracks()[1].boxes)
    slots = found.second.slots
    assert found.span == ((slots[1] + slots[2]) // 2 + 1, (slots[3] + slots[4]) // 2)
    assert (found.tube.start_frame, found.tube.end_frame) == found.span
    np.testing.assert_array_equal(found.tube.boxes, np.tile(np.float32(RIGHT), (len(found.tube.boxes), 1)))


@pytest.mark.parametrize(("n_frames", "margin"), [(111, 33), (112, 34)])
def test_a_margin_of_three_slots_goes_by_their_mean_distance(n_frames: int, margin: int) -> None:
    """Of ten slots in a part that begins at frame 100: 3 * 11.1 = 33.3, and 3 * 11.2 = 33.6."""
    part = {"segment": [100, 99 + n_frames]}
    evidence = replace(first()[0], slot_frames=np.arange(10), info=part)
    asked: list[tuple[int, int]] = []
    refine(Choice(1, (150, 159), 0.5), tracks()[1], evidence, SETTINGS, lambda within: asked.append(within))
    assert asked == [(150 - margin, 159 + margin)]


def test_without_a_second_look_or_where_it_is_lost_the_first_one_stands() -> None:
    evidence, choice = first()
    off = refine(choice, tracks()[1], evidence, replace(SETTINGS, second_look=False), lambda within: None)
    lost = refine(choice, tracks()[1], evidence, SETTINGS, lambda within: None)
    assert off.span == lost.span == choice.span and off.second is lost.second is None
    assert not off.lost and lost.lost
    assert (off.tube.start_frame, off.tube.end_frame) == (61, 120)


def test_the_tube_ends_where_its_track_ends() -> None:
    evidence, choice = first()
    short = Track(np.array([80, 100]), np.tile(np.float32(RIGHT), (2, 1)))
    found = refine(choice, short, evidence, SETTINGS, lambda within: None)
    assert found.span == (61, 120) and (found.tube.start_frame, found.tube.end_frame) == (80, 100)


def test_no_candidate_is_no_answer() -> None:
    rows = rows_of([0.25, 0.75], [1.0] * T)
    evidence, choice = join(rows, maps(rows, SETTINGS), [], SLOTS, lambda boxes: boxes, FRAMES, SETTINGS, 1.0)
    assert choice == Choice(-1, (0, FRAMES - 1), 0.0)
    assert evidence.chosen == -1 and evidence.rows is None and evidence.track_boxes.shape == (0, T, 4)
    assert evidence.track_boxes.dtype == np.float32 and evidence.ends.shape == (0, 2)
