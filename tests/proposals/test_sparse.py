"""From boxes on sparse frames to coarse tracks."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.proposals.detections import Detections
from stvg_core.proposals.sparse import as_detections, spread, tracks_of

SIZE = (200, 100)


@pytest.mark.parametrize(
    ("n_frames", "expected"),
    [(1, [0]), (2, [0, 1]), (11, [0, 10]), (25, [0, 10, 20, 24]), (31, [0, 10, 20, 30])],
)
def test_every_tenth_frame_and_the_last(n_frames: int, expected: list[int]) -> None:
    assert spread(n_frames, 10, 100).tolist() == expected


def test_a_long_video_gets_no_more_pictures_only_wider_gaps() -> None:
    frames = spread(100_000, 10, 16)
    assert len(frames) == 16 and frames[0] == 0 and frames[-1] == 99_999
    assert np.diff(frames).max() - np.diff(frames).min() <= 1


def sightings(rows: dict[int, list[tuple[float, float, float, float, float]]], count: int) -> list[Detections]:
    """Per picture: x, y, size, score and grey."""
    out = []
    for step in range(count):
        found = rows.get(step, [])
        boxes = np.array([(x, y, x + s, y + s) for x, y, s, _, _ in found], np.float32).reshape(-1, 4)
        colours = np.array([(grey, 128, 128) for *_, grey in found], np.float32).reshape(-1, 3)
        out.append(Detections(boxes, colours, np.array([score for *_, score, _ in found], np.float32)))
    return out


def test_a_moving_and_a_still_object_become_two_tracks() -> None:
    frames = np.arange(0, 100, 10)
    rows = {k: [(10 + 9 * k, 20, 24, 0.9, 200), (150, 60, 30, 0.6, 60)] for k in range(10)}
    moving, still = tracks_of(sightings(rows, 10), frames, SIZE, source="s", label="man", at_most=30)
    assert (moving.source, moving.label) == ("s", "man")
    assert moving.score == pytest.approx(0.9) and still.score == pytest.approx(0.6)
    assert moving.sighted.tolist() == frames.tolist()
    assert moving.at(np.array([0, 45, 90])) == pytest.approx(
        np.array([[10 + 0.9 * f, 20, 34 + 0.9 * f, 44] for f in (0, 45, 90)]) / [200, 100, 200, 100], abs=1e-6
    )
    assert np.ptp(still.boxes, axis=0).max() == 0


def test_a_gap_is_bridged_and_the_ends_lie_halfway() -> None:
    frames = np.arange(0, 100, 10)
    rows = {k: [(50, 20, 24, 0.5 + 0.04 * k, 200)] for k in (3, 4, 6, 7)}
    (track,) = tracks_of(sightings(rows, 10), frames, SIZE, source="s", label="", at_most=30)
    assert track.frames.tolist() == [25, 30, 40, 60, 70, 75]
    assert track.sighted.tolist() == [30, 40, 60, 70]
    assert track.confidence == pytest.approx([0.62, 0.66, 0.74, 0.78])


def test_one_sighting_is_a_track_only_where_there_is_one_picture() -> None:
    one = {0: [(50, 20, 24, 0.7, 200)]}
    assert tracks_of(sightings(one, 5), np.arange(5), SIZE, source="", label="", at_most=30) == []
    (track,) = tracks_of(sightings(one, 1), np.zeros(1, np.int64), SIZE, source="", label="", at_most=30)
    assert track.frames.tolist() == [0]


def test_no_more_tracks_than_asked_for_the_best_first() -> None:
    rows = {k: [(x, 20, 20, 0.4 + x / 400, 200) for x in (0, 40, 80, 120, 160)] for k in range(4)}
    tracks = tracks_of(sightings(rows, 4), np.arange(4), SIZE, source="", label="", at_most=3)
    assert [round(float(track.boxes[0, 0]) * 200) for track in tracks] == [160, 120, 80]


def test_doubles_in_a_picture_count_once_and_slivers_have_a_colour() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (100, 200, 3)).astype(np.uint8)
    boxes = np.array([[0.1, 0.1, 0.3, 0.5], [0.11, 0.1, 0.3, 0.5], [0.9999, 0.9999, 1, 1], [0.5, 0.5, 0.8, 0.9]])
    found = as_detections(picture, boxes, np.array([0.5, 0.7, 0.6, 0.9]))
    assert len(found) == 3
    assert found.scores == pytest.approx([0.9, 0.7, 0.6])
    assert np.isfinite(found.colours).all()
    assert found.boxes[0] == pytest.approx([100, 50, 160, 90])
    assert len(as_detections(picture, np.zeros((0, 4)), np.zeros(0))) == 0
