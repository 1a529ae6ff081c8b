"""Which end counts, the box's or the timeline's? One case per row of the table in ``backend.annotations.ends``."""

from __future__ import annotations

from typing import Any

import pytest

from tests.annotations.pages import FIRST, LAST, N_FRAMES, box, key, kinds, look, match, target

SWITCHED = [key(10, 10), key(20, 20, enabled=False), key(30, 30), key(40, 40, enabled=False)]
OPEN = [key(10, 10), key(40, 40)]


@pytest.mark.parametrize(
    ("regions", "intervals", "marks"),
    [
        pytest.param([box()], [[10, 40]], [], id="no range, or it was deleted"),
        pytest.param([box(), match()], [[10, 40]], [], id="nothing was changed"),
        pytest.param([box(14, 35), match()], [[14, 35]], [], id="only the box: a range left behind says nothing"),
        pytest.param([box(), match(10, 25)], [[10, 25]], [], id="range shorter"),
        pytest.param([box(), match(20, 40)], [[20, 40]], [], id="range begins later"),
        pytest.param([box(), match(20, 25)], [[20, 25]], [], id="both ends of the range"),
        pytest.param([box(), match(10, 41)], [[10, 41]], ["held"], id="range longer, by one frame"),
        pytest.param([box(), match(4, 40)], [[4, 40]], ["held"], id="range begins earlier"),
        pytest.param([box(), match(4, 60)], [[4, 60]], ["held", "held"], id="range longer both ways"),
        pytest.param([box(), match(20, 60)], [[20, 60]], ["held"], id="range moved"),
        pytest.param([box(), match(50, 70)], [[50, 70]], ["held"], id="range moved away"),
        pytest.param([box(), match(2, 6)], [[2, 6]], ["held"], id="range moved before the box"),
        pytest.param([box(), match(10, 400)], [[10, 99]], ["held"], id="range dragged past the video"),
        pytest.param([box(10, 30), match(10, 32)], [[10, 30]], [], id="both, 2 frames apart"),
        pytest.param([box(10, 30), match(10, 33)], [[10, 30]], ["disagree"], id="both, 3 frames apart"),
        pytest.param([box(10, 35), match(14, 30)], [[10, 35]], ["disagree"], id="both, and the range's start"),
        pytest.param([box(14, 40), match(20, 40)], [[14, 40]], ["disagree"], id="both, the start"),
        pytest.param(
            [box(14, 40), match(10, 30)], [[14, 30]], ["partly"], id="the start by the box, the end by the range"
        ),
        pytest.param([box(14, 40), match(15, 30)], [[14, 30]], [], id="the same with a start that agrees"),
        pytest.param([box(35, 40), match(10, 20)], [[35, 40]], ["disagree"], id="such ends would cross"),
        pytest.param([box(), match(12, 30, name="new")], [[12, 30]], [], id="deleted and set again"),
        pytest.param(
            [box(), match(), match(60, 70, name="new")], [[10, 40], [60, 70]], ["held", "several"], id="a second range"
        ),
        pytest.param(
            [box(), match(10, 20), match(30, 40, name="new")],
            [[10, 20], [30, 40]],
            ["several"],
            id="two ranges in the box",
        ),
        pytest.param(
            [box(), match(10, 20), match(21, 40, name="new")], [[10, 40]], [], id="two ranges that touch are one"
        ),
        pytest.param(
            [box(12, 30), match(10, 20), match(30, 40, name="n")],
            [[12, 30]],
            ["disagree"],
            id="two ranges, another box",
        ),
        pytest.param(
            [box(keyframes=SWITCHED), match(10, 21), match(29, 40, name="n")],
            [[10, 20], [30, 40]],
            [],
            id="range by range",
        ),
        pytest.param([box(keyframes=SWITCHED), match()], [[10, 20], [30, 40]], [], id="switched off in between"),
        pytest.param([box(keyframes=SWITCHED), match(10, 35)], [[10, 20], [30, 35]], [], id="the same, cut"),
        pytest.param([box(keyframes=SWITCHED), match(10, 25)], [[10, 20]], [], id="cut inside the break"),
        pytest.param(
            [box(keyframes=SWITCHED), match(5, 45)], [[5, 20], [30, 45]], ["held", "held"], id="the same, longer"
        ),
        pytest.param([box(keyframes=OPEN), match(10, 70)], [[10, 70]], [], id="a box that never ends, and a range"),
        pytest.param([box(keyframes=OPEN), match()], [[10, 99]], [], id="a box that never ends, the range left behind"),
        pytest.param([box(), match(10, 20, label="Unsure")], [[10, 40]], [], id="a range with another label"),
        pytest.param(
            [box(), match(), match(10, 20, name="n")],
            [[10, 40]],
            ["several"],
            id="another range inside of it",
        ),
        pytest.param([box(), match(), match(name="n")], [[10, 40]], [], id="the same range twice"),
        pytest.param([box(), match(10, 20), match(21, 30, name="n")], [[10, 30]], [], id="two ranges side by side"),
        pytest.param([box(), match(120, 140, name="n")], [[10, 40]], ["outside"], id="a range outside of the video"),
    ],
)
def test_a_suggested_box(regions: list[dict[str, Any]], intervals: list[list[int]], marks: list[str]) -> None:
    found = target(*regions)
    assert found["intervals"] == intervals
    assert kinds(found) == marks
    assert [found["keyframes"][k][0] for k in (0, -1)] == [intervals[0][0], intervals[-1][1]]


DRAWN = {"name": "hand"}


@pytest.mark.parametrize(
    ("regions", "intervals", "marks"),
    [
        pytest.param([box(15, 30, **DRAWN)], [[15, 30]], [], id="with an end"),
        pytest.param(
            [box(15, 30, **DRAWN), match(name="n")], [[15, 30]], ["disagree"], id="with an end and another range"
        ),
        pytest.param([box(15, 30, **DRAWN), match(13, 32, name="n")], [[15, 30]], [], id="2 frames apart"),
        pytest.param(
            [box(15, 30, **DRAWN), match()], [[15, 30]], [], id="the range as suggested for a box that is gone"
        ),
        pytest.param([box(15, None, **DRAWN)], [[15, 99]], ["lone"], id="one keyframe, no range"),
        pytest.param(
            [box(15, None, **DRAWN), match(15, 50, name="n")], [[15, 50]], ["lone"], id="takes the range's end"
        ),
        pytest.param(
            [box(15, None, **DRAWN), match()], [[15, 40]], ["lone"], id="the end of the range as suggested too"
        ),
        pytest.param(
            [box(15, None, **DRAWN), match(5, 50, name="n")], [[15, 50]], ["disagree", "lone"], id="begins later"
        ),
        pytest.param(
            [box(5, None, **DRAWN), match(15, 50, name="n")], [[5, 50]], ["disagree", "lone"], id="begins earlier"
        ),
        pytest.param(
            [box(60, None, **DRAWN), match(5, 50, name="n")], [[60, 99]], ["disagree", "lone"], id="begins after it"
        ),
        pytest.param(
            [box(keyframes=OPEN, **DRAWN), match(10, 60, name="n")], [[10, 60]], [], id="two keyframes, no end"
        ),
        pytest.param(
            [box(keyframes=OPEN, **DRAWN), match(10, 30, name="n")], [[10, 30]], [], id="the range ends before the last"
        ),
        pytest.param([box(keyframes=OPEN, **DRAWN)], [[10, 99]], [], id="to the end of the video"),
        pytest.param(
            [box(keyframes=OPEN, **DRAWN), match(5, 20, name="m"), match(50, 60, name="n")],
            [[10, 20], [50, 60]],
            ["several"],
            id="shown inside the ranges",
        ),
        pytest.param(
            [box(keyframes=[key(20, 10, enabled=False)], **DRAWN)], [[20, 20]], ["lone"], id="on its own frame only"
        ),
    ],
)
def test_a_box_drawn_from_nothing(regions: list[dict[str, Any]], intervals: list[list[int]], marks: list[str]) -> None:
    found = target(*regions)
    assert found["intervals"] == intervals
    assert kinds(found) == marks


def test_a_range_where_none_was_suggested() -> None:
    """An answer to a drawn box has no range; one that the annotator sets is set by hand."""
    asked = box(20, 50, name="J84v", meta={"text": ["the red box"], "stvg": "tube-7"})
    known = {"tube-1": (FIRST, LAST), "tube-7": (20, 50)}
    assert target(asked, match(20, 45, name="n"), suggested=known)["intervals"] == [[20, 45]]
    left_behind = target(asked, match(), suggested=known)
    assert (left_behind["intervals"], kinds(left_behind)) == ([[20, 50]], [])
    dragged = target(asked, match(10, 45), suggested=known)
    assert dragged["intervals"] == [[20, 45]], "the suggested box is gone, its range was dragged for this one"


def test_of_several_boxes_the_one_with_the_range_takes_it() -> None:
    own, drawn = box(label="Other"), box(5, 90, name="hand")
    other, hand = look(own, drawn, match(10, 20))
    assert other["intervals"] == [[10, 20]], "it was suggested with this box"
    assert hand["target"] and hand["intervals"] == [[5, 90]] and not hand.get("marks")


def test_the_suggestions_own_box_is_the_target_under_another_name_too() -> None:
    """A box that was drawn and followed keeps its own id; our mark says which suggestion it became."""
    asked = box(20, 30, name="J84v", meta={"text": ["the red box"], "stvg": "tube-7"})
    known = {"tube-1": (FIRST, LAST), "tube-7": (20, 30)}
    assert target(asked, box(), suggested=known, region_id="tube-7")["region_id"] == "J84v"
    assert target(asked, box(), suggested=known, region_id="tube-1")["region_id"] == "tube-1"


def test_the_timeline_does_not_change_which_box_is_the_target() -> None:
    """Two boxes without a suggestion: the longer as drawn stays the target when the range makes it the shorter."""
    long, short = box(10, 60, name="a"), box(10, 40, name="b")
    first, second = look(long, short, match(10, 20, name="n"), suggested={"a": (10, 60)}, region_id=None)
    assert first["target"] and first["intervals"] == [[10, 20]] and not second.get("target")


def test_a_range_that_is_hardly_one_frame_and_odd_numbers() -> None:
    assert target(box(), match(10, 10))["intervals"] == [[10, 10]]
    odd = match()
    odd["value"]["ranges"] = [{"start": 30.0, "end": 11}, {"start": None, "end": 3}, {}]
    assert target(box(), odd)["intervals"] == [[10, 29]]


def test_nothing_is_written_of_boxes_that_answer_nothing() -> None:
    _, other = look(box(), box(5, None, name="hand", label="Other"))
    assert "marks" not in other and "wishes" not in other and other["intervals"] == [[5, N_FRAMES - 1]]
