"""The number of edits: nothing for what fits, never more than starting over, the same in both directions of time."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.review.drawn_tube import Drawn
from backend.review.edits import DISCARD, MIN_IOU, both, edits_from_nothing, edits_from_suggestion
from stvg_core.boxes import box_iou
from stvg_core.keyframes import Keyframe, expand, simplify
from stvg_core.tube import Tube
from tests.review.tubes import cut, drawns, moving, shaky, tubes, whole

few = settings(deadline=None, max_examples=40)


def test_a_straight_line_is_two_keyframes_and_a_still_frame_one() -> None:
    assert edits_from_nothing(whole(5, 30, step=0.02)) == 2
    assert edits_from_nothing(whole(5, 5)) == 1
    assert edits_from_nothing(cut(moving(0, 20, step=0.02), ((0, 5), (9, 20)))) == 4, "each interval has its own ends"


@pytest.mark.parametrize(
    ("first", "last", "edits", "why"),
    [
        (10, 40, 0, "as suggested"),
        (10, 30, 1, "the end moved in, on the line"),
        (15, 40, 1, "the start moved in"),
        (12, 38, 2, "both ends moved"),
        (10, 41, 1, "a frame longer: the box held still fits"),
        (10, 60, 2, "the end moved out and its box redrawn"),
        (60, 90, 3, "far away: deleted, and drawn with two keyframes"),
    ],
)
def test_ends_of_a_straight_line(first: int, last: int, edits: int, why: str) -> None:
    suggestion = simplify(moving(10, 40, step=0.005))
    wanted = whole(first, last, x=0.1 + 0.005 * (first - 10), step=0.005)
    assert edits_from_suggestion(suggestion, wanted) == edits, why


def test_who_is_content_with_less_has_less_to_do() -> None:
    """Every box .015 of the picture aside, of a fifth of it: IoU .86."""
    wanted, aside = whole(10, 40, step=0.005), simplify(moving(10, 40, x=0.115, step=0.005))
    assert both(aside, wanted, 0.8) == (0, 2) and both(aside, wanted) == both(aside, wanted, MIN_IOU) == (2, 2)
    assert edits_from_nothing(whole(0, 60, step=0.01), 0.5) <= edits_from_nothing(whole(0, 60, step=0.01), 0.95)


def _keys(*rows: tuple[int, float]) -> list[Keyframe]:
    return [Keyframe(frame, np.array([x, 0.2, x + 0.2, 0.4])) for frame, x in rows]


def test_a_keyframe_is_moved_added_or_deleted() -> None:
    bent = _keys((0, 0.1), (20, 0.4), (40, 0.1))
    straight = Drawn.whole(expand(_keys((0, 0.1), (40, 0.1))))
    assert edits_from_suggestion(bent, straight) == 1, "the one in the middle is deleted"
    assert edits_from_suggestion(_keys((0, 0.1), (40, 0.1)), Drawn.whole(expand(bent))) == 1, "or added"
    lower = Drawn.whole(expand(_keys((0, 0.1), (20, 0.6), (40, 0.1))))
    assert edits_from_suggestion(bent, lower) == 1, "or moved"
    ends = Drawn.whole(expand(_keys((0, 0.3), (20, 0.4), (40, 0.3))))
    assert edits_from_suggestion(bent, ends) == 2, "the keyframes at the ends are moved like any other"


def test_keyframes_outside_the_new_interval_are_deleted_one_by_one() -> None:
    bent = _keys((0, 0.1), (10, 0.3), (20, 0.1), (30, 0.3), (40, 0.1))
    assert edits_from_suggestion(bent, cut(expand(bent), ((0, 15),))) == 3, "an end, and the keyframes 20 and 30"
    assert edits_from_suggestion(bent, cut(expand(bent), ((0, 30),))) == 1, "the end goes to a keyframe that is there"
    split = cut(expand(bent), ((0, 15), (25, 40)))
    assert edits_from_suggestion(bent, split) == 3, "two ends more, and the keyframe 20"


def test_another_object_costs_the_deletion_and_the_drawing() -> None:
    wanted = Drawn.whole(shaky(3, 40, noise=0.02))
    elsewhere = simplify(moving(0, 39, x=0.0, y=0.0, size=0.05))
    assert edits_from_suggestion(elsewhere, wanted) in (
        edits_from_nothing(wanted),
        edits_from_nothing(wanted) + DISCARD,
    )


@few
@given(tubes())
def test_equal_tubes_need_no_edit(tube: Tube) -> None:
    assert edits_from_suggestion(simplify(tube), Drawn.whole(tube)) == 0


@few
@given(drawns(), tubes())
def test_never_more_than_starting_over(wanted: Drawn, suggested: Tube) -> None:
    nothing = edits_from_nothing(wanted)
    assert 1 <= nothing <= sum(len(simplify(part)) for part in wanted.parts())
    assert 0 <= edits_from_suggestion(simplify(suggested), wanted) <= nothing + DISCARD


@few
@given(drawns(), tubes())
def test_time_may_run_backwards(wanted: Drawn, suggested: Tube) -> None:
    length = 1 + max(wanted.tube.end_frame, suggested.end_frame)

    def turned(tube: Tube) -> Tube:
        return Tube(length - 1 - tube.end_frame, tube.boxes[::-1])

    keys = simplify(suggested)
    intervals = tuple((length - 1 - b, length - 1 - a) for a, b in reversed(wanted.intervals))
    back = Drawn(turned(wanted.tube), intervals)
    keys_back = [Keyframe(length - 1 - key.frame, key.box) for key in reversed(keys)]
    assert edits_from_nothing(wanted) == edits_from_nothing(back)
    assert edits_from_suggestion(keys, wanted) == edits_from_suggestion(keys_back, back)


def test_boxes_without_area_are_met() -> None:
    flat = moving(0, 9, step=0.013, size=0.0)
    assert edits_from_nothing(Drawn.whole(flat)) <= len(simplify(flat))
    assert edits_from_suggestion(simplify(moving(0, 9)), Drawn.whole(flat)) <= len(simplify(flat)) + DISCARD


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 9), st.sampled_from([0.01, 0.03]))
def test_no_cheaper_keyframes_are_overlooked(seed: int, length: int, noise: float) -> None:
    """Against every choice of kept, moved, placed and deleted keyframes on short tubes with the same ends."""
    wanted, suggested = shaky(seed, length, noise=noise), shaky(seed + 1, length, noise=noise)
    suggested = Tube(0, 0.6 * wanted.boxes + 0.4 * suggested.boxes)
    keys = simplify(suggested)
    ours = edits_from_suggestion(keys, Drawn.whole(wanted))
    assert ours <= _exhaustive(keys, wanted, frames={key.frame for key in keys + simplify(wanted)})
    assert ours >= _exhaustive(keys, wanted, frames=set(range(length)))


def _exhaustive(keys: list[Keyframe], wanted: Tube, *, frames: set[int]) -> int:
    old = {key.frame: key.box for key in keys}
    choices = []
    for frame in sorted(frames):
        new = (wanted.boxes[frame], 1)
        options: list[tuple[object, int]] = [new]
        if frame in old:
            options.append((old[frame], 0))
        if frame not in (0, len(wanted.boxes) - 1):
            options.append((None, int(frame in old)))
        choices.append([(frame, box, price) for box, price in options])
    best = DISCARD + edits_from_nothing(Drawn.whole(wanted))
    for choice in itertools.product(*choices):
        kept = [Keyframe(frame, box) for frame, box, _ in choice if box is not None]
        if box_iou(expand(kept).boxes, wanted.boxes).min() >= MIN_IOU:
            best = min(best, sum(price for *_, price in choice))
    return best
