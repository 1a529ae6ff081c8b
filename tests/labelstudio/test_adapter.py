"""The ``LabelStudioMLBase`` subclass, in PyPI's label-studio-ml 1.0.9 and in the call shapes of GitHub's 2.x."""

from __future__ import annotations

import base64
import importlib
import json
import os
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.labelstudio.bodies import CONFIG, annotation, event, predict_body, setup_body, task
from tests.labelstudio.recorder import Recorder, recording

ROOT = Path(__file__).parents[2]
PYTHON_109 = ROOT / ".venv-lsml" / "bin" / "python"
VERSION = "tiny@1/2"
FOUND = {"model_version": VERSION, "score": 0.5, "result": []}
LOGIN = "Basic " + base64.b64encode(b"ls:pa:ss").decode()


ANSWERS = {
    "/setup": (200, {"model_version": VERSION}),
    "/predict": (200, {"results": [[FOUND]]}),
    "/webhook": (200, {}),
}
CONTEXT = {"result": [{"type": "textarea", "from_name": "ask", "value": {"text": ["the blue one"]}}]}
GONE = event("ANNOTATIONS_DELETED", annotations=[{"id": 1}])
SAVED = event("ANNOTATION_CREATED", annotation=annotation(), task=task(13))


@pytest.fixture
def service() -> Iterator[Recorder]:
    with recording(dict(ANSWERS)) as recorder:
        yield recorder


# PyPI's 1.0.9, in its own virtual environment because it pins a Flask of 2020.

SCRIPT_109 = """
import json, sys, tempfile
from label_studio_ml.api import init_app
from backend.labelstudio.adapter import TubeModel

class Model(TubeModel):
    service_url = sys.argv[1]
    service_user, service_password = "ls", "pa:ss"

answers = []
with tempfile.TemporaryDirectory() as folder:
    client = init_app(Model, model_dir=folder).test_client()
    for path, body in json.load(sys.stdin):
        if path == "event":
            answers.append([200, Model(label_config="").process_event(body.pop("action"), body, "1", {})])
            continue
        answer = client.post(path, json=body)
        answers.append([answer.status_code, answer.get_json()])
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def run_109() -> Any:
    """One run of 1.0.9's own Flask app with our class mounted: what it answered to each call, what the service saw."""
    if not PYTHON_109.exists():
        pytest.skip(
            "NO LABEL-STUDIO-ML 1.0.9 in .venv-lsml: the adapter was not tested in it. `make setup-all` installs it."
        )
    has_one = task(2, predictions=[{"id": 5, "model_version": VERSION}])
    calls = [
        ("/setup", setup_body()),
        ("/predict", predict_body(task(1))),
        ("/predict", predict_body(has_one)),
        ("/predict", predict_body(has_one, context=CONTEXT)),
        ("event", GONE),
        ("event", SAVED),
        ("/predict", predict_body(task(3), task(4))),
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    with recording(ANSWERS) as service:
        command = [str(PYTHON_109), "-c", SCRIPT_109, service.url]
        done = subprocess.run(
            command, input=json.dumps(calls), env=environment, capture_output=True, text=True, timeout=600, check=False
        )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), service


def test_109_passes_predictions_through(run_109: Any) -> None:
    answers, service = run_109
    assert [status for status, _ in answers[:4]] == [200, 200, 200, 200]
    # The second task has a prediction of ours already, which 1.0.9 would have stored twice; a person's question passes.
    assert [body["results"] for _, body in answers[1:4]] == [[[FOUND]], [[]], [[FOUND]]]
    asked = service.bodies("/predict")
    assert [body["project"] for body in asked] == ["7", "7", "7", "7"]
    assert asked[0]["tasks"][0]["data"]["query"] == "the red square"
    assert asked[0]["label_config"] == CONFIG
    assert [body["params"]["context"] for body in asked[:3]] == [None, None, CONTEXT]
    assert {login for _, login, _ in service.requests} == {LOGIN}
    # The creator's token that Label Studio hands to /setup stays where it is.
    assert setup_body()["access_token"] not in json.dumps(service.requests)


def test_109_passes_every_event_on(run_109: Any) -> None:
    answers, service = run_109
    assert answers[4:6] == [[200, {}], [200, {}]]
    assert service.bodies("/webhook") == [GONE, SAVED]


def test_109_says_what_is_wrong_without_the_log_in(run_109: Any) -> None:
    (status, body), service = run_109[0][6], run_109[1]
    assert status == 500
    assert f"The service at {service.url} gave no list with one entry for each task." in json.dumps(body)
    assert "pa:ss" not in json.dumps(body)


# The 2.x line: a base class with its constructor, its store and its order of calls.


class Base2x:
    """What label_studio_ml.model.LabelStudioMLBase of 2.x does around the methods that a model overrides."""

    INITIAL_MODEL_VERSION = "0.0.1"
    store: dict[tuple[str, str], str]

    def __init__(self, project_id: str | None = None, label_config: str | None = None) -> None:
        self.project_id = project_id or ""
        if label_config is not None:
            self.set("label_config", label_config)
        if not self.get("model_version"):
            self.set("model_version", self.INITIAL_MODEL_VERSION)
        self.setup()

    def setup(self) -> None:
        raise NotImplementedError

    def get(self, key: str) -> str | None:
        return self.store.get((self.project_id, key))

    def set(self, key: str, value: str) -> None:
        self.store[self.project_id, key] = value

    @property
    def label_config(self) -> str | None:
        return self.get("label_config")


@pytest.fixture
def model_2x(service: Recorder, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Our class on the stand-in, pointed at the recorder."""
    module = types.ModuleType("label_studio_ml.model")
    Base2x.store = {}
    module.LabelStudioMLBase = Base2x  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "label_studio_ml", types.ModuleType("label_studio_ml"))
    monkeypatch.setitem(sys.modules, "label_studio_ml.model", module)
    monkeypatch.delitem(sys.modules, "backend.labelstudio.adapter", raising=False)
    adapter = importlib.import_module("backend.labelstudio.adapter")
    monkeypatch.delitem(sys.modules, "backend.labelstudio.adapter", raising=False)
    return type("Model", (adapter.TubeModel,), {"service_url": service.url})


def test_2x_reports_the_services_model_version(model_2x: Any, service: Recorder) -> None:
    model = model_2x(project_id="7", label_config=CONFIG)
    assert model.get("model_version") == VERSION
    assert service.bodies("/setup") == [{"project": "7", "schema": CONFIG}]


def test_2x_predicts_with_a_context_that_may_be_none(model_2x: Any, service: Recorder) -> None:
    model = model_2x(project_id="7", label_config=CONFIG)
    # As 2.x calls it: params without their context, which goes by name.
    assert model.predict([task()], context=None, login=None, password=None) == [[FOUND]]
    context = {"result": [{"type": "textarea", "value": {"text": ["x"]}}]}
    assert model.predict([task()], context=context) == [[FOUND]]
    assert [body["params"]["context"] for body in service.bodies("/predict")] == [None, context]


def test_2x_passes_events_to_fit(model_2x: Any, service: Recorder) -> None:
    body = event("ANNOTATION_UPDATED", annotation=annotation(), task=task(13))
    data = {key: value for key, value in body.items() if key != "action"}
    assert model_2x(project_id="7", label_config=CONFIG).fit("ANNOTATION_UPDATED", data) == {}
    assert service.bodies("/webhook") == [body]


def test_fit_in_its_oldest_shape(model_2x: Any, service: Recorder) -> None:
    model_2x(project_id="7", label_config=CONFIG).fit(
        (), event="START_TRAINING", data={"project": {"id": 7}}, job_id="1"
    )
    assert service.bodies("/webhook") == [{"action": "START_TRAINING", "project": {"id": 7}}]


def test_an_answer_for_another_number_of_tasks_is_refused(model_2x: Any, service: Recorder) -> None:
    # Label Studio would give predictions to the wrong tasks, or ask for them one by one.
    with pytest.raises(Exception, match="one entry for each task"):
        model_2x(project_id="7", label_config=CONFIG).predict([task(1), task(2)])


def test_an_unreachable_service_is_said_without_the_log_in(model_2x: Any) -> None:
    model_2x.service_url, model_2x.service_user, model_2x.service_password = "http://127.0.0.1:1", "ls", "hidden"
    with pytest.raises(Exception, match="cannot be reached") as caught:
        model_2x(project_id="7", label_config=CONFIG)
    assert "hidden" not in str(caught.value)


def test_a_refusal_is_said_by_its_status(model_2x: Any, service: Recorder) -> None:
    service.answers["/setup"] = (401, {"error": "no"})
    with pytest.raises(Exception, match="answered 401 to /setup"):
        model_2x(project_id="7", label_config=CONFIG)
