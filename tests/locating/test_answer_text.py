"""Answers as models write them: in the form that was asked for, in others, and in none."""

from __future__ import annotations

import json

import pytest

from stvg_core.locating.answer_text import (
    COUNTED,
    CUT,
    IN_WORDS,
    SWAPPED,
    Clock,
    Unreadable,
    each_box,
    moment,
    number,
    sorted_numbers,
    span,
)

TIMES = [0.25 + 0.5 * n for n in range(20)]
"""Of a video of ten seconds: picture 1 is at 0.25 s, picture 20 at 9.75 s."""


def clock() -> Clock:
    return Clock(TIMES, 0.0, 10.0)


@pytest.mark.parametrize(
    ("answer", "expected", "repairs"),
    [
        ('{"start": 1.5, "end": 4}', (1.5, 4.0), []),
        ('{"number": 3, "start": "1.5", "end": "4.0 seconds"}', (1.5, 4.0), []),
        ('Sure!\n```json\n{"start": 1.5, "end": 4.0}\n```\nI hope this helps.', (1.5, 4.0), []),
        ('At first I thought {"start": 7, "end": 9}, but it is {"start": 1.5, "end": 4.0}.', (1.5, 4.0), []),
        ('{"start": "00:01.50", "end": "0:04"}', (1.5, 4.0), []),
        ('{"start": "00:00:01.5", "end": "00:00:04"}', (1.5, 4.0), []),
        ('{"start": "picture 3", "end": "Frame 8"}', (1.25, 3.75), []),
        ('{"start": 4, "end": 1.5}', (1.5, 4.0), [SWAPPED]),
        ('{"start": -1, "end": 4}', (0.0, 4.0), [CUT]),
        ('{"start": 8, "end": 60.0}', (8.0, 10.0), [CUT]),
        ('{"start": 12, "end": 19}', (5.75, 9.25), [COUNTED]),
        ("The event happens in 1.5 - 4.0 seconds.", (1.5, 4.0), [IN_WORDS]),
        ("It goes from 00:01.5 to 00:04.", (1.5, 4.0), [IN_WORDS]),
        ("From frame 3 to frame 8.", (1.25, 3.75), [IN_WORDS]),
        ("In pictures 3 to 8 the ball rolls.", (1.25, 3.75), [IN_WORDS]),
        ("Start: 1.5 s\nEnd: 4 s", (1.5, 4.0), [IN_WORDS]),
        ("between 4.0s and 1.5s", (1.5, 4.0), [IN_WORDS, SWAPPED]),
    ],
)
def test_spans(answer: str, expected: tuple[float, float], repairs: list[str]) -> None:
    at = clock()
    assert span(answer, at) == pytest.approx(expected) and at.repairs == repairs


@pytest.mark.parametrize(
    "answer",
    [
        "", "I cannot help with that.", "It moves all the time.", "{}", '{"start": null, "end": 4}', "[" * 5000,
        '{"start": "soon", "end": "later"}', '{"start": true, "end": false}', '{"start": NaN, "end": 4}',
        '{"start": 1e999, "end": 4}', '{"start": 30.5, "end": 40}', '{"start": -9, "end": -2}',
        '{"start": [1], "end": 4}',
        "From frame 3 to frame 80.", '{"start": "picture 0", "end": "picture 4"}', "{" * 5000,
    ],
)  # fmt: skip
def test_no_span(answer: str) -> None:
    with pytest.raises(Unreadable):
        span(answer, clock())


def test_one_moment() -> None:
    assert moment('{"start": 3.2}', "start", clock()) == 3.2
    assert moment('{"end": 9.754}', "end", clock()) == 9.754, "the times before the pictures are rounded"
    at = clock()
    assert moment("It ends at 00:03.2.", "end", at) == pytest.approx(3.2) and at.repairs == [IN_WORDS]
    assert moment("It begins in picture 5", "start", clock()) == 2.25
    for answer in ('{"start": 11}', '{"start": 0.9}', "never", '{"end": 3}'):
        with pytest.raises(Unreadable):
            moment(answer, "start", Clock(TIMES[2:6], 0.0, 10.0))


@pytest.mark.parametrize(
    ("answer", "expected", "repairs"),
    [
        ('{"number": 3}', 3, 0), ('{"number": "3"}', 3, 0), ('{"object": 3.0}', 3, 0), ('{"id": "#3"}', 3, 0),
        ('{"number": 1} no, {"number": 3}', 3, 0), ('{"number": 0}', 0, 0), ('{"number": null}', 0, 0),
        ('{"number": "none"}', 0, 0), ("It is number 3.", 3, 1), ("object #1? No: object #3", 3, 1),
    ],
)  # fmt: skip
def test_numbers(answer: str, expected: int, repairs: int) -> None:
    noted: list[str] = []
    assert number(answer, [1, 2, 3], noted) == expected and len(noted) == repairs


@pytest.mark.parametrize(
    "answer", ["", "three", '{"number": 4}', '{"number": 2.5}', '{"number": true}', '{"number": [3]}', "number 12"]
)
def test_no_number(answer: str) -> None:
    with pytest.raises(Unreadable):
        number(answer, [1, 2, 3], [])


def test_sorted_numbers() -> None:
    noted: list[str] = []
    assert sorted_numbers('{"true": [3], "false": ["1", 2], "unknown": []}', [1, 2, 3], noted) == {
        "true": [3], "false": [1, 2], "unknown": [],
    }  # fmt: skip
    assert noted == []
    found = sorted_numbers('{"true": [3, 9], "false": [2, 3]}', [1, 2, 3], noted)
    assert found == {"true": [], "false": [2], "unknown": [1, 3]} and len(noted) == 2, "twice or not at all: unknown"
    for answer in ("3 is true", '{"true": 3}', "{}"):
        with pytest.raises(Unreadable):
            sorted_numbers(answer, [1, 2, 3], [])


@pytest.mark.parametrize(
    "boxes",
    [
        [{"picture": 2, "box": [1, 2, 3, 4]}], {"2": [1, 2, 3, 4]}, [{"frame": "2", "bbox_2d": [1, 2, 3, 4]}],
        [{"picture": 2, "box": [1, 2, 3, 4]}, {"picture": 99, "box": [1, 2, 3, 4]}, {"box": [1, 2, 3]}, 7],
    ],
    ids=str,
)  # fmt: skip
def test_boxes(boxes: object) -> None:
    answer = "so: " + json.dumps({"start": 1, "boxes": boxes})
    assert list(each_box(answer, 20)) == [(1, [1.0, 2.0, 3.0, 4.0])]


def test_no_boxes() -> None:
    for answer in (
        "",
        "{}",
        '{"boxes": []}',
        '{"boxes": "none"}',
        '{"boxes": [{"picture": 1, "box": [1, 2, null, 4]}]}',
    ):
        assert list(each_box(answer, 20)) == []
