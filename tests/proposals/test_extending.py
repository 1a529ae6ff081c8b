"""A box on one frame is followed to other frames, whatever the object does there; what is lost is held, and said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.boxes import box_iou
from stvg_core.errors import QueryError
from stvg_core.proposals.base import FixedTracks
from stvg_core.proposals.embedded_proposer import EmbeddedProposer
from stvg_core.proposals.extending import extend
from stvg_core.proposals.following import DrawnBox
from stvg_core.tube import Track
from tests.proposals.painted import paint, straight

SIZE = (160, 96)
WHOLE = np.array([160, 96, 160, 96])
MOVING = straight(60, (8, 20, 40, 52), (116, 36, 148, 68))


@pytest.mark.parametrize(("frame", "first", "last"), [(30, 31, 50), (30, 10, 29), (0, 1, 59)])
def test_a_moving_square_on_the_frames_that_are_wanted(frame: int, first: int, last: int, tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    found = extend(EmbeddedProposer(), video, DrawnBox(frame, MOVING[frame] / WHOLE), first, last)
    assert (found.tube.start_frame, found.tube.end_frame, found.seen) == (first, last, (first, last))
    assert box_iou(found.tube.boxes, MOVING[first : last + 1] / WHOLE).min() > 0.8
    assert found.video == video.info


def test_what_is_lost_on_the_way_is_held_and_said(tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    known = Track(np.array([10, 40]), MOVING[[10, 40]] / WHOLE)
    drawn = DrawnBox(30, known.at(np.array([30]))[0])
    ahead = extend(FixedTracks([known]), video, drawn, 31, 50)
    assert ahead.seen == (31, 40)
    np.testing.assert_allclose(ahead.tube.boxes[9:], np.tile(known.boxes[1], (11, 1)), atol=1e-6)
    behind = extend(FixedTracks([known]), video, drawn, 5, 29)
    assert behind.seen == (10, 29)
    np.testing.assert_allclose(behind.tube.boxes[:6], np.tile(known.boxes[0], (6, 1)), atol=1e-6)


def test_an_object_that_is_lost_at_once_is_seen_nowhere(tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    drawn = DrawnBox(30, np.array([0.1, 0.1, 0.2, 0.2]))
    found = extend(FixedTracks([]), video, drawn, 31, 40)
    assert found.seen[0] > found.seen[1]
    np.testing.assert_allclose(found.tube.boxes, np.tile(drawn.box, (10, 1)))


@pytest.mark.parametrize(("frame", "first", "last"), [(60, 10, 20), (30, 31, 60), (30, -1, 5), (30, 40, 35)])
def test_frames_that_the_video_does_not_have(frame: int, first: int, last: int, tmp_path: Path) -> None:
    video = paint(tmp_path / "moving.mp4", MOVING, SIZE)
    with pytest.raises(QueryError, match="frames 0 to 59"):
        extend(FixedTracks([]), video, DrawnBox(frame, np.array([0.1, 0.1, 0.2, 0.2])), first, last)
