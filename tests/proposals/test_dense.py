"""Which frames are made dense, what the tracker is shown, and what becomes of the coarse track."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.proposals.dense import MAX_FRAMES, MAX_SEEDS, merge, plan
from stvg_core.proposals.sightings import SightedTrack
from stvg_core.tube import Track


def coarse(frames: list[int], confidence: list[float] | None = None) -> SightedTrack:
    known = np.array(frames)
    boxes = np.stack([known / 2000, known * 0 + 0.1, known / 2000 + 0.2, known * 0 + 0.5], axis=1)
    return SightedTrack(
        known, boxes, 0.7, "s", "man", sighted=known,
        confidence=np.array(confidence or [0.5] * len(frames), np.float32),
    )  # fmt: skip


def test_a_second_or_a_quarter_around_the_interval() -> None:
    planned = plan(coarse(list(range(0, 400, 10))), 100, 120, 400, fps=25.0)
    assert planned is not None
    assert planned.frames.tolist() == list(range(75, 146))
    planned = plan(coarse(list(range(0, 1000, 10))), 300, 699, 1000, fps=25.0)
    assert planned is not None
    assert (planned.frames[0], planned.frames[-1]) == (200, 799)


def test_the_window_ends_with_the_video() -> None:
    planned = plan(coarse([0, 10, 19]), 0, 19, 20, fps=25.0)
    assert planned is not None
    assert planned.frames.tolist() == list(range(20))
    alone = plan(coarse([0]), 0, 0, 1, fps=25.0)
    assert alone is not None
    assert alone.frames.tolist() == [0] and list(alone.seeds) == [0]


def test_the_surest_sightings_are_shown_first_and_lie_apart() -> None:
    frames = list(range(0, 400, 10))
    confidence = [0.4 + 0.001 * k for k in range(40)]
    confidence[20] = 0.9
    confidence[21] = 0.8  # sure as well, and next to the surest: it would show nothing new
    track = coarse(frames, confidence)
    planned = plan(track, 25, 374, 400, fps=25.0)
    assert planned is not None
    shown = [int(planned.frames[position]) for position in planned.seeds]
    assert shown[0] == 200 and 210 not in shown and len(shown) == MAX_SEEDS
    assert min(np.diff(sorted(shown))) >= 400 / (2 * MAX_SEEDS)
    for frame, box in zip(shown, planned.seeds.values(), strict=True):
        assert box == pytest.approx(track.at(np.array([frame]))[0])


def test_held_ends_are_not_shown() -> None:
    track = SightedTrack(
        np.array([95, 100, 110, 115]), np.full((4, 4), 0.5), sighted=np.array([100, 110]), confidence=np.full(2, 0.5)
    )
    planned = plan(track, 95, 115, 300, fps=10.0)
    assert planned is not None
    assert {int(planned.frames[position]) for position in planned.seeds} <= {100, 110}


def test_a_window_between_two_sightings_reaches_for_the_nearest() -> None:
    planned = plan(coarse([0, 1000]), 820, 840, 2000, fps=25.0)
    assert planned is not None
    assert (planned.frames[0], planned.frames[-1]) == (795, 1000)
    assert list(planned.seeds) == [205]
    assert plan(coarse([0, 5000]), 2500, 2520, 6000, fps=25.0) is None  # seen nowhere near


def test_a_long_window_is_thinned_out_and_its_sightings_stay() -> None:
    planned = plan(coarse(list(range(3, 50_000, 97))), 0, 49_999, 50_000, fps=25.0)
    assert planned is not None
    assert len(planned.frames) <= MAX_FRAMES + MAX_SEEDS + 1
    assert planned.frames[-1] == 49_999
    for position, box in planned.seeds.items():
        assert box[0] == pytest.approx(planned.frames[position] / 2000, rel=1e-5)


def test_dense_inside_coarse_outside_and_where_the_object_is_lost() -> None:
    track = coarse([0, 10, 20, 30, 40])
    frames = np.arange(8, 23)
    dense = np.tile(np.float32([0.6, 0.6, 0.8, 0.9]), (15, 1))
    dense[5] = np.nan  # frame 13
    merged = merge(track, frames, dense)
    assert merged.frames.tolist() == [0, *range(8, 23), 30, 40]
    assert merged.at(np.array([12, 14, 22])) == pytest.approx(np.tile([0.6, 0.6, 0.8, 0.9], (3, 1)))
    assert merged.at(np.array([0, 13, 40])) == pytest.approx(track.at(np.array([0, 13, 40])))
    assert (merged.score, merged.source, merged.label) == (track.score, "s", "man")


def test_beyond_the_coarse_ends_it_goes_on_until_the_first_break() -> None:
    track = coarse([10, 20])
    dense = np.tile(np.float32([0.6, 0.6, 0.8, 0.9]), (31, 1))
    dense[[4, 26]] = np.nan
    merged = merge(track, np.arange(31), dense)
    assert merged.frames.tolist() == list(range(5, 26))


def test_nothing_seen_gives_the_coarse_boxes() -> None:
    track = coarse([10, 20])
    merged = merge(track, np.arange(31), np.full((31, 4), np.nan, np.float32))
    assert merged.at(np.arange(31)) == pytest.approx(track.at(np.arange(31)), nan_ok=True)
    outside = merge(track, np.arange(25, 31), np.full((6, 4), 0.5, np.float32))
    assert outside.frames.tolist() == [10, 20]  # a mask that nothing ties to the track


def test_any_track_can_be_made_dense() -> None:
    planned = plan(Track(np.array([0, 50]), np.full((2, 4), 0.5)), 10, 20, 100, fps=10.0)
    assert planned is not None
    assert [int(planned.frames[position]) for position in planned.seeds] == [0]
