"""The frame of a suggestion to check first: which one it is, and why, in exact values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from backend.review.next_frame import Doubt, doubts
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Array, Tube

BOX = np.array([0.2, 0.2, 0.4, 0.4], np.float32)
SLOTS = np.arange(5, 100, 10)  # 5, 15, ..., 95


def tube(start: int = 20, end: int = 69) -> Tube:
    return Tube(start, np.tile(BOX, (end - start + 1, 1)))


def saw(scores: list[float], **more: object) -> Evidence:
    """Two tracks; the second is chosen and has these frame scores."""
    rows = np.array([np.zeros(10), scores])
    found = Evidence(
        slot_frames=SLOTS, track_boxes=np.tile(BOX, (2, 10, 1)), track_scores=np.array([0.1, 0.9]),
        track_scores_forward=np.zeros(2), track_scores_reversed=np.zeros(2), frame_scores=rows,
        spatial_map=np.zeros((10, 2, 2), np.float16), temporal_map=np.zeros((10, 2, 2), np.float16), chosen=1,
    )  # fmt: skip
    return replace(found, **more)  # type: ignore[arg-type]


CLEAR = [0, 0, 4, 4, 4, 4, 4, 0, 0, 0]  # inside of frames 20 to 69


def test_nothing_speaks_against_a_clear_suggestion() -> None:
    assert doubts(tube(), saw(CLEAR)) == ()
    assert doubts(tube(), None) == () and doubts(None, saw(CLEAR)) == ()
    assert doubts(tube(), saw([3.0] * 10)) == (), "equal scores say nothing"


def test_a_dip_is_named_at_its_lowest_slot() -> None:
    assert doubts(tube(), saw([0, 0, 4, 3, 1, 3.5, 4, 0, 0, 0])) == (
        Doubt(45, "dip", "Inside of the interval the score dips by 0.75 of its range.", 0.75),
    )
    (small,) = doubts(tube(), saw([0, 0, 4, 4, 3, 4, 4, 0, 0, 0]))
    assert (small.frame, small.weight, small.doubtful) == (45, 0.25, False)


def test_a_slope_without_a_second_top_is_no_dip() -> None:
    (only,) = doubts(tube(), saw([0, 0, 4, 3, 2, 2, 2, 0, 0, 0]))
    assert (only.kind, only.frame, only.weight) == ("end", 69, 0.5)


def test_weak_ends_are_named_at_the_end_itself() -> None:
    found = doubts(tube(), saw([0, 3, 4, 4, 4, 4, 4, 4, 0, 0]))
    assert [(one.frame, one.kind, one.weight) for one in found] == [(69, "end", 1.0), (20, "start", 0.75)]
    assert found[0].why == "At the end the score falls by only 0.00 of its range."
    assert found[1].why == "At the start the score rises by only 0.25 of its range."


def test_an_end_on_a_change_of_the_object_itself_is_measured() -> None:
    weak = saw([0, 3, 4, 4, 4, 4, 4, 4, 0, 0])
    acts = weak.with_acts(1, np.array([[20, -1]]))
    assert [one.kind for one in doubts(tube(), acts)] == ["end"]
    others = weak.with_acts(0, np.array([[20, 69]]))
    assert [one.kind for one in doubts(tube(), others)] == ["end", "start"]


def test_an_interval_that_reaches_the_border_of_the_video_has_no_weak_end() -> None:
    assert doubts(tube(0, 99), saw([4, 4, 4, 4, 4, 4, 4, 4, 4, 3.9])) == ()


def test_an_interval_between_two_slots_has_its_nearest() -> None:
    found = doubts(tube(17, 22), saw([0, 4, 3, 0, 0, 0, 0, 0, 0, 0]))
    assert [(one.frame, one.kind, one.weight) for one in found] == [(22, "end", 0.75)]


def test_a_jump_is_named_on_the_frame_behind_it() -> None:
    boxes = np.tile(BOX, (50, 1))
    boxes[13:] += np.array([0.5, 0, 0.5, 0], np.float32)
    jump = Doubt(33, "jump", "The box jumps: it has an IoU of 0.00 with the one on the frame before.", 1.0)
    assert doubts(Tube(20, boxes), None) == (jump,)
    assert doubts(Tube(20, boxes), saw(CLEAR)) == (jump,)


def test_an_object_that_is_always_fast_does_not_jump() -> None:
    boxes = np.tile(np.array([0.0, 0.2, 0.05, 0.4], np.float32), (10, 1))
    boxes[:, [0, 2]] += 0.04 * np.arange(10, dtype=np.float32)[:, None]
    assert doubts(Tube(0, boxes), None) == ()


def masks(*missing: int) -> Array:
    found = np.ones((2, 10, 2, 2), np.float16)
    found[1, list(missing)] = np.nan
    return found


@pytest.mark.parametrize(
    ("missing", "frame", "why", "weight"),
    [
        ((4,), 45, "its box was linked over this sampled frame.", 0.5),
        ((3, 4, 5), 45, "its box was linked over 3 sampled frames around it.", 0.75),
    ],
)
def test_a_gap_is_named_in_its_middle(missing: tuple[int, ...], frame: int, why: str, weight: float) -> None:
    found = doubts(tube(), saw(CLEAR, masks=masks(*missing)))
    assert found == (Doubt(frame, "gap", f"The object was not seen here: {why}", weight),)


def test_masks_that_are_missing_outside_or_everywhere_are_no_gap() -> None:
    assert doubts(tube(), saw(CLEAR, masks=masks(0, 9))) == ()
    assert doubts(tube(), saw(CLEAR, masks=masks(*range(10)))) == ()


def test_two_measurements_that_differ() -> None:
    exact = np.tile(BOX, (10, 1))
    exact[5] = [0.2, 0.2, 0.4, 0.25]  # a quarter of the box
    exact[3] = np.nan
    (found,) = doubts(tube(), saw(CLEAR, exact=exact))
    assert (found.frame, found.kind) == (55, "boxes") and found.weight == pytest.approx(0.75, abs=1e-6)
    assert found.why == "The box was measured twice here, and the two have an IoU of 0.25."


def test_the_least_sure_come_first_and_not_two_beside_each_other() -> None:
    exact = np.tile(BOX, (10, 1))
    exact[[4, 6]] = [0.2, 0.2, 0.4, 0.21]
    found = doubts(tube(), saw([0, 3, 4, 3, 1, 3.5, 4, 4, 0, 0], exact=exact))
    assert [(one.frame, one.kind) for one in found] == [(69, "end"), (45, "boxes"), (20, "start")]
    assert [(one.frame, one.kind) for one in doubts(tube(), saw(CLEAR, exact=exact), 1)] == [(45, "boxes")]


def test_a_suggestion_without_candidates_has_no_frame() -> None:
    assert doubts(tube(), saw(CLEAR, chosen=-1)) == ()
