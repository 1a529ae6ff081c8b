"""The routes as Label Studio 1.23.2 calls them."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.db.engine import Database
from backend.db.tables import Annotation, Base, Event, Job
from backend.http.app import create_app
from backend.jobs.corrections import read_events
from backend.testing import FakeEngine
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC, MODEL, WEBHOOK_TOKEN, make_settings
from tests.jobs.conftest import make_loop


def _predict(
    web: FlaskClient, *numbers: int, context: object = None, query: str = "the red box", project: int = 1
) -> Any:
    """The request as Label Studio sends it, with the fields that matter here."""
    tasks = [
        {
            "id": number,
            "data": {"video": "/data/local-files/?d=a.mp4", "query": query, "fps": 25},
            "meta": {},
            "is_labeled": False,
            "project": project,
            "annotations": [],
            "predictions": [],
        }
        for number in numbers
    ]
    body = {
        "tasks": tasks,
        "project": f"{project}.1795344595",
        "label_config": CONFIG,
        "params": {"login": None, "password": None, "context": context},
    }
    return web.post("/predict", json=body, auth=BASIC)


def _typed(sentence: str) -> dict[str, Any]:
    """The context of a submitted smart TextArea."""
    region = {"value": {"text": [sentence]}, "id": "Ler5", "from_name": "ask", "to_name": "video", "type": "textarea"}
    return {"result": [{**region, "origin": "manual"}]}


def _count(database: Database, table: type[Base]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_health_needs_no_password(web: FlaskClient) -> None:
    response = web.get("/health")
    assert response.status_code == 200 and response.json["status"] == "UP"


def test_the_first_page_is_for_people_and_for_programs(web: FlaskClient) -> None:
    facts = web.get("/", auth=BASIC).json
    assert facts["name"] == "stvg" and facts["status"] == "UP" and facts["model_version"] == MODEL
    page = web.get("/", auth=BASIC, headers={"Accept": "text/html,*/*;q=0.8"})
    assert page.mimetype == "text/html" and MODEL in page.text and "Content-Security-Policy" in page.headers


def test_setup_answers_with_the_model_version_and_keeps_no_token(
    web: FlaskClient, sqlite_database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    database = sqlite_database
    token = "0123456789abcdef0123456789abcdef01234567"
    body = {"project": "1.179", "schema": CONFIG, "hostname": "http://ls", "access_token": token, "extra_params": None}
    with caplog.at_level(logging.DEBUG):
        response = web.post("/setup", json=body, auth=BASIC)
    assert response.json == {"model_version": MODEL}
    assert token not in caplog.text and token not in response.text
    with database.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            assert token not in str(connection.execute(table.select()).all())
    assert web.get("/versions", auth=BASIC).json == {"versions": [MODEL]}


def test_predict_returns_one_empty_list_per_task_at_once_and_queues(
    connected: FlaskClient, sqlite_database: Database
) -> None:
    database = sqlite_database
    connected.application.extensions["stvg"].answering.wait_s = 10**6  # there is no worker: who waits never comes back
    response = _predict(connected, 1, 2, 3, 4, 5)
    assert response.json == {"results": [[], [], [], [], []], "model_version": MODEL}
    assert _predict(connected, 1, 2, 3, 4, 5).json["results"] == [[]] * 5 and _count(database, Job) == 5


def test_the_doubled_call_of_an_opened_task_makes_one_job(connected: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    app, together = connected.application, Barrier(4)

    def ask(_: int) -> Any:
        caller = app.test_client()
        together.wait()
        return _predict(caller, 9).json["results"]

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [[[]]] * 4
    assert _count(database, Job) == 1


def test_predict_answers_from_the_database_once_it_is_there(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    database = sqlite_database
    _predict(connected, 1)
    loop = make_loop(database, tmp_path)
    assert loop.worker.drain() == 1
    [[body]] = _predict(connected, 1).json["results"]
    assert body["model_version"] == MODEL and body["result"][0]["type"] == "videorectangle"
    assert _predict(connected, 1).json["results"] == [[]], "the second caller gets nothing, so nothing is stored twice"


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
    asking = Thread(
        target=lambda: answers.append(_predict(app.test_client(), 2, context=_typed("the man in blue")).json)
    )
    asking.start()
    while not _count(database, Job):
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
    assert _predict(connected, 2, context=_typed("the man in blue")).json["results"][0]["result"] == []


def test_an_interactive_call_without_a_sentence_is_answered_empty(
    connected: FlaskClient, sqlite_database: Database
) -> None:
    database = sqlite_database
    box = {"result": [{"type": "videorectangle", "from_name": "box", "to_name": "video", "value": {"sequence": []}}]}
    for context in (box, {}, {"result": []}):
        assert _predict(connected, 2, context=context).json["results"] == [{"result": []}]
    assert _count(database, Job) == 0


def test_a_drawn_box_is_followed_and_keeps_its_id_and_label(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    loop = make_loop(sqlite_database, tmp_path)
    place = {"frame": 13, "x": 20.0, "y": 30.0, "width": 20.0, "height": 40.0, "rotation": 0, "time": 0.5}
    value = {"framesCount": 50, "duration": 2, "labels": ["Target"], "sequence": [{**place, "enabled": True}]}
    drawn = {"id": "J84v", "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value}
    connected.application.extensions["stvg"].answering.wait_s = 0.0
    assert _predict(connected, 2, context={"result": [drawn]}).json["results"][0]["result"] == []
    assert loop.worker.drain() == 1
    [body] = _predict(connected, 2, context={"result": [drawn]}).json["results"]
    [region] = body["result"]
    assert (region["id"], region["value"]["labels"]) == ("J84v", ["Target"])
    assert region["value"]["sequence"][0]["frame"] == 8, "frames count from 1 here"
    assert loop.engine.prompts == [(12, pytest.approx((0.2, 0.3, 0.4, 0.7)))]


def test_a_typed_sentence_that_cannot_be_used_gets_422(connected: FlaskClient) -> None:
    response = _predict(connected, 2, context=_typed("x" * 3000))
    assert response.status_code == 422 and "3000 characters" in response.json["error"]


@pytest.mark.parametrize(
    "query", ["שלום הכדור האדום", "🟥 moves", "a\u202e b", "\x00box", "'; DROP TABLE job; --", "<script>"]
)
def test_unusual_sentences_are_accepted(connected: FlaskClient, query: str) -> None:
    assert _predict(connected, 1, query=query).status_code == 200


def test_an_unknown_project_is_told(web: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    response = _predict(web, 1, project=7)
    assert response.status_code == 404 and "Project 7" in response.json["error"] and _count(database, Job) == 0


EVENT = {
    "action": "ANNOTATION_CREATED",
    "annotation": {"id": 8, "task": 13, "result": [], "was_cancelled": True, "updated_at": "2026-11-22T11:12:33Z"},
    "project": {"id": 1, "label_config": CONFIG, "label_config_hash": -(2**63), "control_weights": {"conf": 1.0}},
    "task": {"id": 13, "data": {"video": "/data/local-files/?d=a.mp4", "query": "i2", "fps": 25}},
}


def test_an_event_is_kept_as_it_came_and_doubled_events_once(connected: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    headers = {"X-STVG-Token": WEBHOOK_TOKEN}
    replies = [connected.post("/webhook", json=EVENT, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert [reply.json["status"] for reply in replies] == ["stored", "known"]
    with database.read() as session:
        assert b'"was_cancelled": true' in session.scalars(select(Event)).one().body
    assert _count(database, Annotation) == 0 and read_events(database) == 1 and _count(database, Annotation) == 1


def test_an_event_of_an_unknown_project_gets_404_and_is_read_later(web: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    response = web.post("/webhook", json=EVENT, auth=BASIC)
    assert response.status_code == 404 and _count(database, Event) == 1 and read_events(database) == 0
    web.post("/setup", json={"project": "1.1", "schema": CONFIG}, auth=BASIC)
    assert read_events(database) == 1 and _count(database, Annotation) == 1


def test_an_event_of_no_project_is_kept(web: FlaskClient) -> None:
    assert web.post("/webhook", json={"action": "START_TRAINING"}, auth=BASIC).status_code == 200


def test_metrics_count_requests_and_what_waits(connected: FlaskClient) -> None:
    _predict(connected, 1, 2)
    page = connected.get("/metrics", auth=BASIC).text
    assert 'stvg_jobs{state="queued"} 2.0' in page and 'stvg_requests_total{route="/predict",status="200"} 1.0' in page
    assert "stvg_database_up 1.0" in page


def test_a_second_app_in_one_process_is_no_clash(sqlite_database: Database) -> None:
    first, second = (
        create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client() for _ in range(2)
    )
    first.get("/health")
    pages = [caller.get("/metrics", auth=BASIC).text for caller in (first, second)]
    assert 'route="/health"' in pages[0] and 'route="/health"' not in pages[1]
    assert all(page.count("# HELP stvg_requests_total") == 1 for page in pages)


def test_the_webhook_answers_while_the_worker_grounds(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    """Label Studio waits one second and never sends again: the answer must not wait for the worker."""
    _predict(connected, 1)
    loop = make_loop(sqlite_database, tmp_path)
    begun, go_on, ground = threading.Event(), threading.Event(), loop.engine.ground

    def held(path: Any, query: str, progress: Any) -> Any:
        begun.set()
        go_on.wait()
        return ground(path, query, progress)

    loop.engine.ground = held  # type: ignore[method-assign]
    working = Thread(target=loop.worker.drain)
    working.start()
    begun.wait()
    assert connected.post("/webhook", json=EVENT, auth=BASIC).status_code == 200
    go_on.set()
    working.join()
    assert loop.job().state == "done"


def test_the_fake_engine_is_deterministic(tmp_path: Any) -> None:
    (tmp_path / "a.mp4").write_bytes(b"x")
    first, second = (FakeEngine().ground(tmp_path / "a.mp4", "q", lambda s, n: None) for _ in range(2))
    assert first.tube is not None and second.tube is not None
    assert first.tube.start_frame == second.tube.start_frame and (first.tube.boxes == second.tube.boxes).all()
