"""``/predict`` as Label Studio 1.23.2 calls it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from backend.db.engine import Database
from backend.db.tables import Job
from tests.http.calls import count, predict, typed
from tests.http.conftest import MODEL
from tests.jobs.conftest import make_loop


def test_predict_returns_one_empty_list_per_task_at_once_and_queues(
    connected: FlaskClient, sqlite_database: Database
) -> None:
    database = sqlite_database
    connected.application.extensions["stvg"].answering.wait_s = 10**6  # there is no worker: who waits never comes back
    response = predict(connected, 1, 2, 3, 4, 5)
    assert response.json == {"results": [[], [], [], [], []], "model_version": MODEL}
    assert predict(connected, 1, 2, 3, 4, 5).json["results"] == [[]] * 5 and count(database, Job) == 5


def test_the_doubled_call_of_an_opened_task_makes_one_job(connected: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    app, together = connected.application, Barrier(4)

    def ask(_: int) -> Any:
        caller = app.test_client()
        together.wait()
        return predict(caller, 9).json["results"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [[[]]] * 4
    assert count(database, Job) == 1


def test_predict_answers_from_the_database_once_it_is_there(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    database = sqlite_database
    predict(connected, 1)
    loop = make_loop(database, tmp_path)
    assert loop.worker.drain() == 1
    [[body]] = predict(connected, 1).json["results"]
    assert body["model_version"] == MODEL and body["result"][0]["type"] == "videorectangle"
    assert predict(connected, 1).json["results"] == [[]], "the second caller gets nothing, so nothing is stored twice"


def test_a_typed_sentence_waits_for_its_tube_while_health_stays_up(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    database = sqlite_database
    loop = make_loop(database, tmp_path)
    begin = threading.Event()
    working = Thread(target=lambda: [begin.wait(), loop.worker.drain()])
    working.start()
    answers: list[Any] = []
    app = connected.application
    asking = Thread(target=lambda: answers.append(predict(app.test_client(), 2, context=typed("the man in blue")).json))
    asking.start()
    while not count(database, Job):
        loop.worker.stop.wait(0.02)
    assert app.test_client().get("/health").status_code == 200 and not answers
    begin.set()
    asking.join()
    working.join()
    [body] = answers[0]["results"]
    assert body["result"][0]["type"] == "videorectangle" and body["model_version"] == MODEL
    assert loop.engine.calls == [("a.mp4", "the man in blue")]


def test_a_typed_sentence_without_a_worker_gets_an_empty_region_list(connected: FlaskClient) -> None:
    connected.application.extensions["stvg"].answering.wait_s = 0.2
    assert predict(connected, 2, context=typed("the man in blue")).json["results"][0]["result"] == []


def test_an_interactive_call_without_a_sentence_is_answered_empty(
    connected: FlaskClient, sqlite_database: Database
) -> None:
    database = sqlite_database
    box = {"result": [{"type": "videorectangle", "from_name": "box", "to_name": "video", "value": {"sequence": []}}]}
    for context in (box, {}, {"result": []}):
        assert predict(connected, 2, context=context).json["results"] == [{"result": []}]
    assert count(database, Job) == 0


def test_a_drawn_box_is_followed_and_keeps_its_id_and_label(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    loop = make_loop(sqlite_database, tmp_path)
    place = {"frame": 13, "x": 20.0, "y": 30.0, "width": 20.0, "height": 40.0, "rotation": 0, "time": 0.5}
    value = {"framesCount": 50, "duration": 2, "labels": ["Target"], "sequence": [{**place, "enabled": True}]}
    drawn = {"id": "J84v", "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value}
    connected.application.extensions["stvg"].answering.wait_s = 0.0
    assert predict(connected, 2, context={"result": [drawn]}).json["results"][0]["result"] == []
    assert loop.worker.drain() == 1
    [body] = predict(connected, 2, context={"result": [drawn]}).json["results"]
    [region, line] = body["result"]
    assert (line["id"], line["type"]) == ("J84v", "textarea"), "whether it counts, for the region list"
    assert (region["id"], region["value"]["labels"]) == ("J84v", ["Target"])
    assert region["value"]["sequence"][0]["frame"] == 8, "frames count from 1 here"
    assert loop.engine.prompts == [(12, pytest.approx((0.2, 0.3, 0.4, 0.7)))]


def test_an_unknown_project_is_told(web: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    response = predict(web, 1, project=7)
    assert response.status_code == 404 and "Project 7" in response.json["error"] and count(database, Job) == 0


def test_one_reading_session_answers_what_needs_no_write(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The check of the layout, every two seconds, is none of what is counted.
    monkeypatch.setattr(connected.application.extensions["stvg_layout"], "problem", lambda: None)
    predict(connected, 1)
    assert make_loop(sqlite_database, tmp_path).worker.drain() == 1
    begun: list[str] = []
    note = lambda _, __, statement, *rest: begun.append(statement)  # noqa: E731
    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    assert predict(connected, 1).json["results"][0]
    assert [line for line in begun if line.startswith("BEGIN")] == ["BEGIN", "BEGIN IMMEDIATE"]
    begun.clear()
    assert predict(connected, 1, 2).json["results"] == [[], []] and "BEGIN IMMEDIATE" in begun, "the second is new"
    begun.clear()
    assert predict(connected, 1, 2).json["results"] == [[], []]
    assert [line for line in begun if not line.startswith("SELECT")] == ["BEGIN"]
