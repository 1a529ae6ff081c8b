"""What the page sends for a drawn box, and what of a region's note is a sentence."""

from __future__ import annotations

import json
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


def test_a_whole_request_of_the_page_is_a_drawn_box() -> None:
    """The form of what a labelling page sends, drafts and all; with a `labels` tag beside the boxes' own."""
    config = """
    <View><Text name="query" value="$query"/><Video name="clip" value="$video" frameRate="$fps"/>
      <VideoRectangle name="boxes" toName="clip" smart="true"/>
      <Labels name="kinds" toName="clip" smart="true"><Label value="Car"/><Label value="Dog"/></Labels>
      <TimelineLabels name="when" toName="clip" smart="true"><Label value="Match"/></TimelineLabels>
      <Choices name="verdict" toName="clip" choice="single"><Choice value="good"/><Choice value="bad"/></Choices>
    </View>"""
    key = {"frame": 8, "enabled": True, "rotation": 0, "x": 12.5, "y": 40.0, "width": 25.0, "height": 30.0, "time": 0.8}
    drawn = {
        "value": {"framesCount": 90, "duration": 9, "sequence": [key], "labels": ["Dog"]},
        "id": "bX-3_kQe9u", "from_name": "boxes", "to_name": "clip", "type": "videorectangle", "origin": "manual",
    }  # fmt: skip
    draft = {**drawn, "value": {**drawn["value"], "labels": []}}  # type: ignore[dict-item]
    body = {
        "tasks": [
            {
                "id": 4, "annotations": [], "meta": {}, "inner_id": 2, "project": 7,
                "drafts": [{"id": 3, "user": "ann@example.org", "result": [draft], "task": 4, "annotation": None}],
                "predictions": [{"id": 31, "result": [], "model_version": "m@1/1", "score": 0.0, "task": 4}],
                "data": {"video": "/data/local-files/?d=clips/dogs.mp4", "query": "the dog", "fps": 10},
            }
        ],
        "project": "7.1700000000",
        "label_config": config,
        "params": {"login": None, "password": None, "context": {"result": [drawn]}},
    }  # fmt: skip
    body = json.loads(json.dumps(body))
    (found,) = drawn_regions(body["params"]["context"], read_config(body["label_config"]))  # type: ignore[index]
    assert (found.region_id, found.label, found.frames.tolist()) == ("bX-3_kQe9u", "Dog", [7])
    np.testing.assert_allclose(found.boxes[0], [0.125, 0.4, 0.375, 0.7], atol=1e-6)
