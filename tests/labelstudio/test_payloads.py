"""What Label Studio asks, and what we push to it."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import (
    PayloadError,
    asked_sentence,
    drawn_boxes,
    parse_predict,
    parse_setup,
    validate_prediction,
)
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG, keyframe, predict_body, region, setup_body, task

Change = Callable[[dict[str, Any]], object]


def test_all_tasks_of_a_project_come_in_one_request() -> None:
    request = parse_predict(predict_body(task(1), task(2, predictions=[{"id": 5, "model_version": "m"}])))
    assert [t.id for t in request.tasks] == [1, 2]
    assert request.tasks[0].data["query"] == "the red square"
    assert request.tasks[1].predictions[0]["model_version"] == "m"
    assert (request.project_id, request.label_config, request.interactive) == (7, CONFIG, False)


def test_the_sentence_typed_on_the_page_is_read_from_the_context() -> None:
    typed = {"type": "textarea", "from_name": "ask", "to_name": "video", "value": {"text": ["the man in blue"]}}
    line = {"type": "textarea", "from_name": "counts", "to_name": "video", "id": "r1", "value": {"text": ["Counts."]}}
    request = parse_predict(predict_body(context={"result": [line, typed]}))
    assert request.interactive
    assert asked_sentence(request.context, read_config(CONFIG)) == "the man in blue"
    # The same text in another text area of a team's interface is a note, not a question.
    assert asked_sentence(request.context, read_config(RENAMED_CONFIG)) is None
    without_ask = replace(read_config(CONFIG), ask_name=None)
    assert asked_sentence({"result": [line]}, without_ask) is None, "what the backend wrote beside a box"


def test_a_box_drawn_on_the_page_is_no_sentence() -> None:
    context = {"result": [region(keyframe(1, 30))]}
    assert asked_sentence(context, read_config(CONFIG)) is None
    assert [box["id"] for box in drawn_boxes(context)] == ["r1"]
    assert drawn_boxes(None) == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda b: b.pop("tasks"), "tasks"),
        (lambda b: b.update(tasks=[]), "tasks"),
        (lambda b: b.update(tasks={}), "tasks"),
        (lambda b: b.update(tasks=[3]), "task 1"),
        (lambda b: b["tasks"][0].pop("id"), '"id"'),
        (lambda b: b["tasks"][0].update(data="x"), '"data" of task 1'),
        (lambda b: b.update(project="seven"), '"project"'),
        (lambda b: b.update(project=True), '"project"'),
        (lambda b: b.update(label_config=4), "label_config"),
        (lambda b: b.update(params=[1]), "params"),
        (lambda b: b["params"].update(context="x"), "context"),
    ],
)
def test_a_malformed_predict_request_is_refused_with_the_field(change: Change, named: str) -> None:
    body = predict_body()
    change(body)
    with pytest.raises(PayloadError, match="(?i)" + named):
        parse_predict(body)


@pytest.mark.parametrize("body", [None, [], "x", 3])
def test_a_body_that_is_no_object_is_refused(body: object) -> None:
    for parse in (parse_predict, parse_setup):
        with pytest.raises(PayloadError, match="JSON object"):
            parse(body)


def test_setup_keeps_the_creators_token_out_of_sight() -> None:
    request = parse_setup(setup_body())
    assert request.project_id == 7
    assert request.access_token == setup_body()["access_token"]
    assert request.access_token not in repr(request)


def prediction() -> dict[str, Any]:
    span = {"ranges": [{"start": 6, "end": 40}], "timelinelabels": ["Match"]}
    return {
        "task": 1,
        "model_version": "tiny@1/2",
        "score": 0.5,
        "result": [
            region(keyframe(6, 10), keyframe(40, 60, enabled=False)),
            {"id": "r2", "from_name": "when", "to_name": "video", "type": "timelinelabels", "value": span},
            {
                "id": "r3",
                "from_name": "verdict",
                "to_name": "video",
                "type": "choices",
                "value": {"choices": ["absent"]},
            },
            {"id": "r1", "from_name": "counts", "to_name": "video", "type": "textarea", "value": {"text": ["Counts."]}},
        ],
    }


def sequence(body: dict[str, Any]) -> list[dict[str, Any]]:
    keyframes: list[dict[str, Any]] = body["result"][0]["value"]["sequence"]
    return keyframes


def test_a_good_prediction_passes() -> None:
    validate_prediction(prediction(), read_config(CONFIG))


def test_an_empty_prediction_passes() -> None:
    # No candidate object in the video: stored as empty, with score 0, first in the uncertainty order.
    validate_prediction(prediction() | {"result": [], "score": 0}, read_config(CONFIG))


@pytest.mark.parametrize("key", ["frame", "enabled", "rotation", "x", "y", "width", "height", "time"])
def test_a_keyframe_without_one_of_its_eight_keys_is_refused(key: str) -> None:
    body = prediction()
    del sequence(body)[1][key]
    with pytest.raises(PayloadError, match=f"lacks {key}"):
        validate_prediction(body, read_config(CONFIG))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda b: b.pop("task"), '"task"'),
        (lambda b: b.update(model_version=""), "model_version"),
        (lambda b: b.update(score=1.2), '"score"'),
        (lambda b: b.update(score=math.nan), '"score"'),
        (lambda b: b.update(result={}), '"result"'),
        (lambda b: b["result"][1].update(id="r1"), "id of its own"),
        (lambda b: b["result"][0].update(from_name="rect"), 'no "rect"'),
        (lambda b: b["result"][0].update(to_name="audio"), '"audio"'),
        (lambda b: b["result"][0].update(type="rectangle"), "rectangle"),
        (lambda b: b["result"][0]["value"].update(labels=["Cat"]), "Cat"),
        (lambda b: b["result"][0]["value"].pop("framesCount"), "framesCount"),
        (lambda b: b["result"][0]["value"].update(sequence=[]), "at least one keyframe"),
        (lambda b: sequence(b).reverse(), "must rise"),
        (lambda b: sequence(b)[1].update(frame=51), "1 to 50"),
        (lambda b: sequence(b)[0].update(frame=0), "1 to 50"),
        (lambda b: sequence(b)[0].update(frame=6.5), "6.5"),
        (lambda b: sequence(b)[0].update(enabled=1), "enabled"),
        (lambda b: sequence(b)[0].update(rotation=math.nan), "rotation"),
        (lambda b: sequence(b)[0].update(x=None), '"x"'),
        (lambda b: sequence(b)[0].update(x=85), "leaves the picture"),
        (lambda b: sequence(b)[0].update(height=-1), "leaves the picture"),
        (lambda b: sequence(b)[1].update(enabled=True), "last keyframe must be off"),
        (lambda b: b["result"][1]["value"].update(ranges=[{"start": 9, "end": 8}]), "start <= end"),
        (lambda b: b["result"][1]["value"].update(ranges=[]), "ranges"),
        (lambda b: b["result"][1]["value"].update(timelinelabels=["Span"]), "Span"),
        (lambda b: b["result"][2]["value"].update(choices=["maybe"]), "maybe"),
        (lambda b: b["result"][3].update(id="r4"), "none is called 'r4'"),
        (lambda b: b["result"].append(b["result"][3]), "id of its own"),
        (lambda b: b["result"][3].update(from_name="ask"), 'no "ask"'),
        (lambda b: b["result"][3]["value"].update(text="Counts."), "list of strings"),
        (lambda b: b["result"][3]["value"].update(text=[]), "list of strings"),
    ],
)
def test_a_bad_prediction_is_refused_before_it_is_pushed(change: Change, named: str) -> None:
    body = copy.deepcopy(prediction())
    change(body)
    with pytest.raises(PayloadError, match=named):
        validate_prediction(body, read_config(CONFIG))
