"""A part of a video (``segment``) with numbers that can be worked out by hand, see :mod:`tests.core.by_hand`."""

from __future__ import annotations

import numpy as np
import pytest

from stvg_core.errors import QueryError
from stvg_core.tube import Track
from tests.core.by_hand import FRAMES, LEFT, QUERY, RIGHT, Clip, MakeBench, whole

SEGMENT = (200, 799)


def part_of(box: tuple[float, ...]) -> Track:
    return Track(np.array([0, 599]), np.array([box, box]))


def test_a_part_is_answered_in_the_frame_numbers_of_the_whole_video(bench: MakeBench) -> None:
    """20 slots of 600 frames stand for 215, 245, ...: 425 to 545 lie in the action, so the first look says 411 (after
    halfway from 395 to 425) to 560. Three sampled frames (90) on both sides are 321 to 650; 20 slots of those stand for
    321 + 8, 24, 41, 57, 74, 90, ...: the action holds 411 (321 + 90) to 543 (321 + 222), with 395 before and 560 after.
    """
    made = bench([part_of(LEFT), part_of(RIGHT)])
    found = made.grounder.ground("clip.mp4", QUERY, segment=SEGMENT)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (404, 551)
    np.testing.assert_array_equal(found.tube.boxes, [RIGHT] * 148)
    evidence, (clip,) = found.evidence, made.clips
    assert evidence.info["second_look"] == [321, 650, 404, 551] and evidence.info["segment"] == [200, 799]
    assert evidence.slot_frames.tolist() == list(range(215, 800, 30)) and evidence.bounds == found.segment == SEGMENT
    assert evidence.ends.tolist() == [[200, 799]] * 2 and evidence.info["n_frames"] == FRAMES
    assert evidence.second is not None and evidence.second.window == (321, 650)
    assert evidence.second.slots[:6].tolist() == [329, 345, 362, 378, 395, 411]
    assert clip.reads == [list(range(215, 800, 30)), evidence.second.slots.tolist()] and clip.expected == [200, 799]
    assert found.video is clip.info
    assert made.proposer.spans == [(211, 360)] and made.proposer.lengths == [600], "the proposer counts from 0"


def test_all_that_is_asked_about_a_part_is_about_the_same_part(bench: MakeBench) -> None:
    made = bench([part_of(LEFT), part_of(RIGHT)])
    both = made.grounder.ground_many("clip.mp4", [QUERY, "the dog in blue who sits"], segment=SEGMENT)
    assert [one.segment for one in both] == [SEGMENT] * 2 and len(made.clips) == 1
    (each,) = made.grounder.ground_each("clip.mp4", [QUERY], segment=SEGMENT)
    assert not isinstance(each, Exception) and each.segment == SEGMENT and len(made.clips) == 1
    assert made.grounder.ground("clip.mp4", QUERY).segment is None and len(made.clips) == 2, "the whole is another"


def test_given_tracks_are_cut_to_the_part(bench: MakeBench) -> None:
    made = bench()
    found = made.grounder.ground("clip.mp4", QUERY, tracks=[whole(RIGHT)], segment=SEGMENT)
    assert found.tube is not None and (found.tube.start_frame, found.tube.end_frame) == (404, 551)
    assert found.evidence.ends.tolist() == [[200, 799]] and made.proposer.phrases == []


def test_a_part_without_candidates_has_no_tube(bench: MakeBench) -> None:
    found = bench([]).grounder.ground("clip.mp4", QUERY, segment=SEGMENT)
    assert found.tube is None and found.evidence.bounds == SEGMENT


def test_what_a_sentence_about_a_part_will_need(bench: MakeBench) -> None:
    made = bench()
    info = Clip("clip.mp4").info
    slots, searched = made.grounder.needs(info, SEGMENT)
    assert slots.tolist() == list(range(215, 800, 30)) and searched.tolist() == [200, 799]
    with pytest.raises(QueryError):
        made.grounder.needs(info, (0, FRAMES))
