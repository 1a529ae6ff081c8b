"""What an annotator left becomes a tube: followed ends, turned boxes, single boxes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.annotations import marks
from backend.annotations.keyframe_rows import keyframes
from backend.annotations.objects import OwnSentence
from backend.annotations.wish import Found, Wish, wishes
from backend.labelstudio.result import read_keyframes, upright
from stvg_core.keyframes import expand
from stvg_core.tube import Tube
from tests.annotations.pages import FIRST, LAST, N_FRAMES, box, key, kinds, look, match, target


def boxes(entry: dict[str, object]) -> Tube:
    return expand(keyframes(entry["keyframes"]))  # type: ignore[arg-type]


def test_added_frames_hold_the_last_box_until_a_worker_has_looked() -> None:
    found = target(box(), match(10, 60))
    tube = boxes(found)
    np.testing.assert_allclose(tube.boxes[tube.frames > LAST], np.tile([0.4, 0.4, 0.6, 0.7], (20, 1)), atol=1e-4)
    assert found["marks"] == [marks.mark(marks.HELD, 41, 60)]
    [(_, wish)] = wishes([found])
    assert (wish.frame, wish.first, wish.last) == (40, 41, 60)
    assert wish.box == pytest.approx((0.4, 0.4, 0.6, 0.7), abs=1e-4)
    assert found["page"]["intervals"] == [[FIRST, LAST]] and found["moved"] == 1
    assert marks.sentences([found]) == ["End set on the timeline: the last box is held (frames 42 to 61)."]


def test_what_a_worker_followed_takes_the_place_of_held_boxes() -> None:
    asked: list[Wish] = []

    def followed(wish: Wish) -> Found:
        asked.append(wish)
        assert wish.first is not None and wish.last is not None
        rows = np.linspace([0.4, 0.4, 0.6, 0.7], [0.6, 0.4, 0.8, 0.7], wish.last - wish.first + 1)
        return Found(Tube(wish.first, rows), (wish.first, wish.first + 9))

    found = target(box(), match(2, 60), followed=followed)
    assert [(wish.frame, wish.first, wish.last) for wish in asked] == [(10, 2, 9), (40, 41, 60)]
    assert "wishes" not in found
    assert [(one["mark"], one["frames"]) for one in found["marks"]] == [
        ("followed", [2, 9]), ("followed", [41, 50]), ("held", [51, 60]),
    ]  # fmt: skip
    tube = boxes(found)
    assert (tube.start_frame, tube.end_frame) == (2, 60)
    assert tube.boxes[-1] == pytest.approx([0.6, 0.4, 0.8, 0.7], abs=1e-3)


def test_of_a_range_that_moved_away_only_its_own_frames_are_marked() -> None:
    found = target(box(), match(50, 60))
    assert found["marks"] == [marks.mark(marks.HELD, 50, 60)]
    [(_, wish)] = wishes([found])
    assert (wish.first, wish.last) == (41, 60), "the way there is followed too"


def test_the_same_wish_has_the_same_key_when_it_is_read_again() -> None:
    [(_, first)], [(_, again)] = (wishes([target(box(), match(10, 60))]) for _ in range(2))
    assert first == again == Wish.from_json(first.to_json()) and first.key == again.key
    [(_, other)] = wishes([target(box(), match(10, 61))])
    assert other.key != first.key


def test_a_box_without_area_is_held_and_not_followed() -> None:
    flat = [key(10, 10, width=0), key(40, 40, width=0, enabled=False)]
    found = target(box(keyframes=flat), match(10, 60))
    assert kinds(found) == ["held"] and "wishes" not in found


def test_a_single_drawn_box_is_marked_and_wished_to_be_followed() -> None:
    found = target(box(20, None, name="hand"))
    assert found["marks"] == [marks.mark(marks.LONE, 20, N_FRAMES - 1)]
    [(_, wish)] = wishes([found])
    assert (wish.frame, wish.first, wish.last, wish.offer) == (20, None, None, True)
    assert wish.box == pytest.approx((0.1, 0.4, 0.3, 0.7), abs=1e-4)


def test_a_single_box_is_wished_to_be_followed_over_the_range_around_it() -> None:
    drawn = box(20, None, name="hand")
    [(_, wish)] = wishes([target(drawn, match(12, 50, name="n"))])
    assert (wish.first, wish.last, wish.offer) == (12, 50, True) and wish == Wish.from_json(wish.to_json())
    [(_, elsewhere)] = wishes([target(drawn, match(30, 50, name="n"))])
    assert elsewhere.first is None
    [(_, two)] = wishes([target(drawn, match(12, 30, name="n"), match(60, 70, name="m"))])
    assert two.first is None


def test_an_answer_to_a_drawn_box_is_no_single_box() -> None:
    """A followed object that is there on one frame only comes back with one keyframe and our mark."""
    answer = box(keyframes=[key(20, 10, enabled=False)], name="J84v", meta={"text": ["x"], "stvg": "tube-7"})
    assert "marks" not in target(answer, suggested={})


def test_an_object_with_a_sentence_of_its_own_is_offered_too() -> None:
    own = {"hand": OwnSentence("the blue star", "")}
    _, found = look(box(), box(20, None, name="hand", label="Other"), match(10, 30), own=own)
    assert kinds(found) == ["lone"] and "target" not in found
    assert found["intervals"] == [[20, N_FRAMES - 1]], "the range is the target's"


def around(x: float, y: float, width: float, height: float, degrees: float) -> list[float]:
    """The box around a rectangle that was turned clockwise around its top-left corner, in pixels."""
    turn = math.radians(degrees)
    corners = [(0, 0), (width, 0), (width, height), (0, height)]
    xs = [x + a * math.cos(turn) - b * math.sin(turn) for a, b in corners]
    ys = [y + a * math.sin(turn) + b * math.cos(turn) for a, b in corners]
    return [min(xs), min(ys), max(xs), max(ys)]


@given(
    place=st.tuples(st.floats(0, 100), st.floats(0, 100), st.floats(1, 50), st.floats(1, 50)),
    degrees=st.floats(-400, 400), size=st.sampled_from([(320, 240), (1920, 1080), (90, 160)]),
)  # fmt: skip
def test_a_turned_box_counts_as_the_box_around_it(
    place: tuple[float, float, float, float], degrees: float, size: tuple[int, int]
) -> None:
    width, height = size
    pixels = [value * side / 100 for value, side in zip(place, (width, height) * 2, strict=True)]
    [found] = upright(np.array([[*place, degrees]]), width / height)
    np.testing.assert_allclose(found * ([width, height] * 2), around(*pixels, degrees), atol=1e-6 * width)


def test_a_turn_is_interpolated_as_the_page_does_it() -> None:
    """Halfway between 0 and 60 degrees the box is turned by 30, which is wider than halfway between the two around."""
    rows = [key(10, 30), key(30, 30, rotation=60, enabled=False)]
    tube = boxes(target(box(keyframes=rows), aspect=4 / 3, suggested={"tube-1": (10, 30)}))
    width, height = 400, 300
    wanted = [around(0.3 * width, 0.4 * height, 0.2 * width, 0.3 * height, degrees) for degrees in (0, 30, 60)]
    for frame, expected in zip((10, 20, 30), wanted, strict=True):
        np.testing.assert_allclose(tube.boxes[frame - 10] * ([width, height] * 2), expected, atol=0.5)


def test_a_turned_box_is_cut_to_the_picture() -> None:
    tube = boxes(target(box(keyframes=[key(10, 95, rotation=45), key(40, 0, rotation=45, enabled=False)])))
    assert tube.boxes.min() >= 0 and tube.boxes.max() <= 1
    assert tube.boxes[0][2] == 1 and tube.boxes[-1][0] == 0


def test_keyframes_of_a_box_drawn_on_the_page_are_turned_too() -> None:
    _, found, _ = read_keyframes([key(10, 30, rotation=90)], aspect=4 / 3)
    # 20 % of 400 wide and 30 % of 300 high: turned it is 90 wide, to the left of the corner, and 80 high.
    np.testing.assert_allclose(found, [[(120 - 90) / 400, 0.4, 0.3, (120 + 80) / 300]], atol=1e-9)
