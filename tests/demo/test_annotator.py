"""The annotator's correction changes what it says and nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from backend.demo.annotator import corrected, span


def keyframe(frame: int, x: float, *, enabled: bool = True) -> dict[str, Any]:
    return {
        "frame": frame, "enabled": enabled, "rotation": 0, "x": x, "y": 40.0, "width": 20.0, "height": 10.0,
        "time": frame / 25,
    }  # fmt: skip


def proposal(*sequence: dict[str, Any]) -> list[dict[str, Any]]:
    ends = {"start": sequence[0]["frame"], "end": sequence[-1]["frame"]}
    return [
        {"id": "tube-1", "type": "videorectangle", "value": {"sequence": list(sequence)}},
        {"id": "tube-1-span", "type": "timelinelabels", "value": {"ranges": [ends], "timelinelabels": ["Match"]}},
    ]


def test_the_end_moves_and_the_boxes_shift() -> None:
    before = proposal(keyframe(11, 10), keyframe(21, 30), keyframe(31, 50, enabled=False))
    untouched = copy.deepcopy(before)
    after = corrected(before, cut=5, shift=2)
    assert before == untouched, "the proposal itself must stay as it was"
    sequence = after[0]["value"]["sequence"]
    # Frame 26 lies half-way between the keyframes at 21 and 31: x = 40, then shifted by 2.
    assert [(k["frame"], k["x"], k["enabled"]) for k in sequence] == [(11, 12, True), (21, 32, True), (26, 42, False)]
    assert sequence[-1]["time"] == pytest.approx(26 / 25)
    assert after[1]["value"]["ranges"] == [{"start": 11, "end": 26}]


@pytest.mark.parametrize(
    ("cut", "end"),
    [
        (10, 21),  # exactly on a keyframe
        (100, 11),  # further than the tube is long: one frame stays
        (0, 31),  # only the boxes
    ],
)
def test_where_it_ends(cut: int, end: int) -> None:
    after = corrected(proposal(keyframe(11, 10), keyframe(21, 30), keyframe(31, 50, enabled=False)), cut=cut, shift=0)
    assert span(after) == (11, end)
    assert after[0]["value"]["sequence"][-1]["enabled"] is False
    assert all(k["enabled"] for k in after[0]["value"]["sequence"][:-1])


def test_a_box_stays_inside_the_picture() -> None:
    after = corrected(proposal(keyframe(1, 75), keyframe(9, 20, enabled=False)), cut=0, shift=10)
    assert [k["x"] for k in after[0]["value"]["sequence"]] == [80.0, 30.0]
