"""The routes as Label Studio 1.23.2 calls them."""

from __future__ import annotations

import json
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from backend.bootstrap import open_media
from backend.db import events, projects
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


BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html",
]
PROGRAMS = [None, "*/*", "application/json", "application/json, text/plain, */*", "application/json, text/html;q=0.5"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", BROWSERS)
@pytest.mark.parametrize("auth", [None, ("stvg", "wrong"), BASIC])
def test_a_browser_at_the_services_address_is_led_to_the_review_pages(
    web: FlaskClient, method: str, accept: str, auth: tuple[str, str] | None
) -> None:
    response = web.open("/", method=method, headers={"Accept": accept}, auth=auth)
    assert response.status_code == 302 and response.location == "/review/"
    assert "WWW-Authenticate" not in response.headers and "Accept" in response.headers["Vary"]
    # Nothing about the service is told on the way, and the page there asks who this is.
    assert MODEL not in response.text
    there = web.get(response.location, headers={"Accept": accept})
    assert there.status_code == 303 and there.location.startswith("/login")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", PROGRAMS)
def test_programs_at_the_services_address_read_its_state_with_their_credentials(
    web: FlaskClient, method: str, accept: str | None
) -> None:
    headers = {"Accept": accept} if accept else {}
    stranger = web.open("/", method=method, headers=headers)
    assert stranger.status_code == 401 and stranger.headers["WWW-Authenticate"].startswith("Basic")
    answer = web.open("/", method=method, headers=headers, auth=BASIC)
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    if method == "GET":
        assert answer.json["name"] == "stvg" and answer.json["status"] == "UP"
        assert answer.json["model_version"] == MODEL


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [*BROWSERS, *PROGRAMS])
def test_health_answers_everybody_alike(web: FlaskClient, method: str, accept: str | None) -> None:
    """Label Studio asks /health before anything else, without naming what it accepts."""
    response = web.open("/health", method=method, headers={"Accept": accept} if accept else {})
    assert response.status_code == 200 and response.mimetype == "application/json"


def test_only_the_services_own_address_leads_a_browser_on(web: FlaskClient) -> None:
    for path in ("/metrics", "/versions", "/nowhere", "//"):
        assert web.get(path, headers={"Accept": BROWSERS[0]}).status_code == 401, path
    assert web.post("/", headers={"Accept": BROWSERS[0]}).status_code == 401


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


@pytest.mark.parametrize("query", ["שלום הכדור האדום", "🟥 moves", "a\u202e b", "'; DROP TABLE job; --", "<script>"])
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


@pytest.mark.parametrize(
    ("hostname", "learnt"),
    [
        ("https://studio.example/label/", ["https://studio.example/label"]),
        ("http://studio:8080", ["http://studio:8080"]),
        ("http://localhost:8080", []),  # what it sends where nobody gave it a name
        ("http://127.0.0.1:9", []),
        ("http://[::1]:9", []),
        ("", []),
        ("studio:8080", []),
        ("javascript://x", []),
    ],
)
def test_setup_keeps_what_label_studio_calls_itself(
    web: FlaskClient, sqlite_database: Database, hostname: str, learnt: list[str]
) -> None:
    body = {"project": "1.179", "schema": CONFIG, "hostname": hostname, "access_token": "t" * 40}
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    with sqlite_database.read() as session:
        assert projects.hostnames(session) == learnt
    settings = make_settings(label_studio_url="http://ls:8080", label_studio_aliases="http://other:1")
    media = open_media(settings, None, sqlite_database)
    assert list(media._downloader.place.aliases) == ["http://other:1", *learnt]
    body["hostname"] = ""
    assert web.post("/setup", json=body, auth=BASIC).status_code == 200
    with sqlite_database.read() as session:
        assert projects.hostnames(session) == learnt, "an empty name takes nothing away"


HALF, BIG = "\ud800", 2**70
BOX = {"id": "r", "type": "videorectangle", "from_name": "box", "to_name": "video"}


def _deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = {"a": value}
    return value


def _box(*frames: float, **place: Any) -> dict[str, Any]:
    """A region with the same box at each of the frames."""
    whole = {"x": 1, "y": 1, "width": 5, "height": 5, "enabled": True} | place
    return {**BOX, "value": {"framesCount": 50, "sequence": [{"frame": frame} | whole for frame in frames or (1,)]}}


def _event(annotation: dict[str, Any] | None = None, task: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    saved: Any = EVENT["annotation"]
    of: Any = EVENT["task"]
    changed = {"annotation": saved | {"was_cancelled": False} | (annotation or {}), "task": of | (task or {})}
    return EVENT | changed | more


ODD_EVENTS = [
    *[
        _event({name: odd})
        for name in ("id", "task", "completed_by", "parent_prediction")
        for odd in (BIG, -1, True, 1.5, "12", [1], 2**63)
    ],
    *[_event(project={"id": odd}) for odd in (BIG, -1, True, 1.5, "x", "9" * 5000, [1])],
    *[_event(task={"id": odd}) for odd in (BIG, -1, True, 1.5, "12")],
    {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": BIG}], "project": {"id": 1}},
    {"action": "ANNOTATIONS_DELETED", "annotations": [-5], "project": {"id": 1}},
    {"action": "START_TRAINING", "project": {"id": BIG}},
    {"action": HALF, "project": {"id": 1}},
    _event({"result": [{**BOX, "id": HALF}]}),
    _event({"result": [{**BOX, "meta": {"text": ["a\x00b"]}}]}),
    _event({"result": [{**BOX, HALF: 1}]}),
    _event({"result": [_box(BIG)]}),
    _event({"result": [_box(x=-(10**400))]}),
    _event({"result": [_box(y=1e300)]}),
    _event({"result": [_box(1, 10**6)]}),
    _event({"result": [{**BOX, "value": [1]}]}),
    _event({"result": [{**BOX, "value": {"sequence": {"a": 1}}}]}),
    _event({"result": [{**BOX, "value": {"sequence": [3]}}]}),
    _event({"result": [{**BOX, "value": {"labels": "T"}}]}),
    _event({"result": "x"}),
    _event({"lead_time": float("nan")}),
    _event({"lead_time": float("inf")}),
    _event(task={"data": _deep(480)}),
    _event(task={"data": {str(n): 1 for n in range(10_001)}}),
    _event(task={"data": {"query": HALF}}),
    [],
    {},
    {"action": 3},
    {"action": "x", "project": 1.5},
]


@pytest.mark.parametrize("number", range(len(ODD_EVENTS)))
def test_an_event_that_no_database_could_keep_gets_400_and_leaves_nothing(
    connected: FlaskClient, sqlite_database: Database, number: int
) -> None:
    reply = connected.post("/webhook", data=json.dumps(ODD_EVENTS[number]), auth=BASIC)
    assert reply.status_code == 400 and len(reply.json["error"]) > 10
    assert _count(sqlite_database, Event) == 0


ENDLESS = {"framesCount": 10**6, "sequence": _box(1)["value"]["sequence"]}
KEPT_EVENTS = [
    _event({"lead_time": 10**400, "completed_by": None, "parent_prediction": None}),
    _event({"updated_at": "0001-01-01T00:00:00+14:00", "created_at": "9999-12-31T23:59:59-14:00"}),
    _event({"result": [_box(0), {"id": "t", "type": "taxonomy", "value": {"taxonomy": [["a"]]}}]}),
    _event({"result": [_box()], "completed_by": {"id": 4}}, {"data": {"video": 5, "query": ["x"], "fps": 10**400}}),
    _event({"result": [{**BOX, "value": ENDLESS}]}),
    _event({"result": [{**BOX, "value": ENDLESS | {"framesCount": BIG}}]}),
    _event({"result": [_box()], "task": 5}, {"id": 5, "data": {"x": BIG}}, project={"id": 2**63 - 1}),
]


@pytest.mark.parametrize("number", range(len(KEPT_EVENTS)))
def test_an_odd_event_that_is_kept_can_be_read_on_both_databases(database: Database, number: int) -> None:
    with database.write() as session:
        for project in (1, 2**63 - 1):
            projects.register(session, project, CONFIG)
    app = create_app(make_settings(), database=database, model_version=MODEL)
    with app.test_client() as caller:
        assert caller.post("/webhook", data=json.dumps(KEPT_EVENTS[number]), auth=BASIC).status_code == 200
    assert read_events(database) == 1
    with database.read() as session:
        assert session.scalars(select(Event.state)).all() == ["done"]
        assert len(session.scalars(select(Annotation)).all()) == 1


def test_the_frames_of_a_video_that_was_never_probed_are_not_believed_without_limit(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        projects.register(session, 1, CONFIG)
        events.store(session, json.dumps(KEPT_EVENTS[4]).encode(), action="x", project_id=1)
    assert read_events(sqlite_database) == 1
    with sqlite_database.read() as session:
        assert session.scalars(select(Annotation)).one().tubes[0]["intervals"] == [[0, 0]]


def test_stored_events_from_before_are_read_as_far_as_they_go(database: Database) -> None:
    """They were stored without a look; half a character in a note must not lose the boxes beside it."""
    half = {**_box(), "id": HALF, "meta": {"text": [HALF]}}
    rows = [
        _event({"result": [half]}, {"data": {"video": "a\x00b", "query": HALF}}),
        _event({"id": BIG}),
        _event({"id": 9}, {"data": _deep(480)}),
    ]
    with database.write() as session:
        projects.register(session, 1, CONFIG)
        for row in rows:
            events.store(session, json.dumps(row).encode(), action="x", project_id=1)
    assert read_events(database) == 3
    with database.read() as session:
        assert session.scalars(select(Event.state).order_by(Event.id)).all() == ["done", "failed", "failed"]
        kept = session.scalars(select(Annotation)).one()
        assert kept.tubes and kept.task is not None and kept.task.video_ref == "a\ufffdb"


ASKED = {"tasks": [{"id": 1, "data": {}}], "project": "1.5"}
ODD_QUESTIONS = [
    *[ASKED | {"tasks": [{"id": odd, "data": {}}]} for odd in (BIG, -1, True, 1.5, "12", None, [1])],
    *[ASKED | {"project": odd} for odd in (BIG, -1, True, 1.5, "x", "9" * 5000, "-1.5")],
    ASKED | {"tasks": [{"id": 1, "data": {"query": HALF}}]},
    ASKED | {"tasks": [{"id": 1, "data": {"query": "a\x00b"}}]},
    ASKED | {"tasks": [{"id": 1, "data": {"fps": float("nan")}}]},
    ASKED | {"tasks": [{"id": 1, "data": {"a": _deep(480)}}]},
    ASKED | {"tasks": [{"id": 1, "data": {str(n): 1 for n in range(10_001)}}]},
    ASKED | {"params": {"context": {"result": [_box(BIG)]}}},
    ASKED | {"params": {"context": {"result": [{**BOX, "value": 3}]}}},
]


@pytest.mark.parametrize("number", range(len(ODD_QUESTIONS)))
def test_an_odd_question_gets_400_with_a_sentence(
    connected: FlaskClient, sqlite_database: Database, number: int
) -> None:
    reply = connected.post("/predict", data=json.dumps(ODD_QUESTIONS[number]), auth=BASIC)
    assert reply.status_code == 400 and len(reply.json["error"]) > 10
    assert _count(sqlite_database, Job) == 0


def test_the_place_of_what_is_refused_is_named(connected: FlaskClient) -> None:
    tasks = [{"id": n, "data": {"query": HALF if n == 3 else "the box"}} for n in range(5)]
    reply = connected.post("/predict", data=json.dumps({"tasks": tasks, "project": "1.5"}), auth=BASIC)
    assert "tasks[3].data.query" in reply.json["error"]


def test_whole_numbers_of_any_size_in_a_tasks_data_disturb_nobody(database: Database) -> None:
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    app = create_app(make_settings(), database=database, model_version=MODEL)
    data = {"video": "/data/upload/1/a.mp4", "query": "the box", "fps": 10**400, "order": BIG}
    with app.test_client() as caller:
        body = json.dumps({"tasks": [{"id": 2**63 - 1, "data": data}], "project": "1.5"})
        assert caller.post("/predict", data=body, auth=BASIC).status_code == 200
