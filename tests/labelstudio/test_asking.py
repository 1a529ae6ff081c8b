"""What the page sends for a drawn box, and what of a region's note is a sentence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.labelstudio.asking import MARK, drawn_regions, is_marked, meta_for, note, suggested_as
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import validate_prediction
from backend.labelstudio.result import tube_to_result
from stvg_core.tube import Tube, VideoInfo
from tests.labelstudio.bodies import CONFIG, keyframe, region

CONFIG_READ = read_config(CONFIG)


def test_a_drawn_box_as_the_page_sends_it() -> None:
    drawn = region(keyframe(10, 20), id="J84v", meta={"text": ["the blue star"]})
    (found,) = drawn_regions({"result": [drawn]}, CONFIG_READ)
    assert (found.region_id, found.suggested_as, found.label) == ("J84v", "J84v", "Target")
    assert found.sentence == "the blue star" and found.frames.tolist() == [9]
    np.testing.assert_allclose(found.boxes, [[0.2, 0.4, 0.4, 0.7]])


def test_all_that_was_sent_is_read_in_order_and_the_rest_left_out() -> None:
    context = {
        "result": [
            region(keyframe(1, 20), id="a"),
            {"type": "textarea", "from_name": "ask", "value": {"text": ["hello"]}},
            region(id="without keyframes"),
            {"type": "videorectangle", "id": "without value"},
            region(keyframe(1, 20), id="elsewhere", to_name="another"),
            region(keyframe(3, -5), keyframe(9, 95), id="b"),
        ]
    }
    first, second = drawn_regions(context, CONFIG_READ)
    assert (first.region_id, second.region_id) == ("a", "b")
    assert second.boxes.min() == 0.0 and second.boxes.max() == 1.0, "cut at the picture's edge"


@pytest.mark.parametrize("labels", [None, [], ["Strange"], "Target", [None]])
def test_a_label_that_the_interface_does_not_have_is_none(labels: Any) -> None:
    drawn = region(keyframe(1, 20))
    drawn["value"]["labels"] = labels
    assert drawn_regions({"result": [drawn]}, CONFIG_READ)[0].label is None


@pytest.mark.parametrize("context", [None, {}, {"result": None}, {"result": "x"}, {"result": [3]}])
def test_nothing_drawn(context: Any) -> None:
    assert drawn_regions(context, CONFIG_READ) == []


@pytest.mark.parametrize(
    ("meta", "said", "marked"),
    [
        (None, None, False),
        ({"text": []}, None, False),
        ({"text": ["  ", " the star "]}, "the star", False),
        ({"text": "the star"}, "the star", False),
        ({"text": [3]}, None, False),
        (["x"], None, False),
        (meta_for("the star", "tube-1"), "the star", True),
        ({MARK: 3}, None, False),
    ],
)
def test_notes(meta: Any, said: str | None, marked: bool) -> None:
    one = region(keyframe(1, 20), meta=meta)
    assert (note(one), is_marked(one)) == (said, marked)
    assert suggested_as(one) == ("tube-1" if marked else "r1")


def test_an_answer_takes_the_drawn_regions_place_and_says_its_sentence() -> None:
    info = VideoInfo("a.mp4", 320, 240, 25, 1, 50, 2.0)
    tube = Tube(2, np.tile([0.1, 0.1, 0.3, 0.3], (5, 1)))
    result = tube_to_result(
        tube, info=info, config=CONFIG_READ, score=0.5, region_id="J84v", label="Other", span=False,
        meta=meta_for("the star", "tube-1"),
    )  # fmt: skip
    (one,) = json.loads(json.dumps(result))
    assert (one["id"], one["value"]["labels"]) == ("J84v", ["Other"])
    assert one["meta"] == {"text": ["the star"], MARK: "tube-1"}
    validate_prediction({"task": 1, "model_version": "m", "score": 0.5, "result": result}, CONFIG_READ)
    assert {r["type"] for r in tube_to_result(tube, info=info, config=CONFIG_READ, score=0.5, region_id="x")} == {
        "videorectangle", "timelinelabels",
    }  # fmt: skip


def test_the_captured_request_is_a_drawn_box() -> None:
    captured = Path(__file__).parents[3] / "shared/samples/label-studio/predict_request_interactive_videorectangle.json"
    if not captured.exists():
        pytest.skip(f"NO {captured.name}: the captured request was not read.")
    body = json.loads(captured.read_text())["body"]
    (found,) = drawn_regions(body["params"]["context"], read_config(body["label_config"]))
    assert (found.label, found.frames.tolist()) == ("Person", [0])
    np.testing.assert_allclose(found.boxes[0], [0.6265625, 0.6625, 0.9390625, 0.99583333], atol=1e-6)
