"""Bodies that no database could keep, and odd ones that can be kept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.db import events, projects
from backend.db.engine import Database
from backend.db.tables import Annotation, Event, Job, Task
from backend.http.app import create_app
from backend.jobs.corrections import read_events
from tests.db.helpers import CONFIG
from tests.http.calls import EVENT, count
from tests.http.conftest import BASIC, MODEL, make_settings

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
    assert count(sqlite_database, Event) == 0


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


ODD_DATA: list[dict[str, Any]] = [
    {"query": HALF},
    {"query": "a\x00b"},
    {"fps": float("nan")},
    {"a": _deep(480)},
    {str(n): 1 for n in range(10_001)},
]


ODD_QUESTIONS = [
    *[ASKED | {"tasks": [{"id": odd, "data": {}}]} for odd in (BIG, -1, True, 1.5, "12", None, [1])],
    *[ASKED | {"project": odd} for odd in (BIG, -1, True, 1.5, "x", "9" * 5000, "-1.5")],
    *[ASKED | {"tasks": [{"id": 1, "data": data}], "params": {"context": {"result": []}}} for data in ODD_DATA],
    ASKED | {"more": HALF},
    ASKED | {"params": {"context": {"result": [_box(BIG)]}}},
    ASKED | {"params": {"context": {"result": [{**BOX, "value": 3}]}}},
]


@pytest.mark.parametrize("number", range(len(ODD_QUESTIONS)))
def test_an_odd_question_gets_400_with_a_sentence(
    connected: FlaskClient, sqlite_database: Database, number: int
) -> None:
    reply = connected.post("/predict", data=json.dumps(ODD_QUESTIONS[number]), auth=BASIC)
    assert reply.status_code == 400 and len(reply.json["error"]) > 10
    assert count(sqlite_database, Job) == 0


@pytest.mark.parametrize("odd", range(len(ODD_DATA)))
def test_an_odd_task_stops_no_other_of_its_batch(database: Database, odd: int) -> None:
    """Its sentence and its video are as they should be: then it is asked as well."""
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    app = create_app(make_settings(), database=database, model_version=MODEL)
    plain = {"video": "/data/upload/1/a.mp4", "query": "the box"}
    tasks = [{"id": number, "data": {**plain, **(ODD_DATA[odd] if number == 3 else {})}} for number in range(1, 5)]
    with app.test_client() as caller:
        reply = caller.post("/predict", data=json.dumps({"tasks": tasks, "project": "1.5"}), auth=BASIC)
    assert reply.status_code == 200 and reply.json["results"] == [[]] * 4
    with database.read() as session:
        jobs = session.scalars(select(Job).join(Task).order_by(Task.ls_task_id)).all()
        wanted = "failed" if "query" in ODD_DATA[odd] else "queued"
        assert [job.state for job in jobs] == ["queued", "queued", wanted, "queued"]
        assert wanted == "queued" or "tasks[2].data.query" in str(jobs[2].reason)
        assert {job.task.video_ref for job in jobs} == {"/data/upload/1/a.mp4"}


def test_whole_numbers_of_any_size_in_a_tasks_data_disturb_nobody(database: Database) -> None:
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    app = create_app(make_settings(), database=database, model_version=MODEL)
    data = {"video": "/data/upload/1/a.mp4", "query": "the box", "fps": 10**400, "order": BIG}
    with app.test_client() as caller:
        body = json.dumps({"tasks": [{"id": 2**63 - 1, "data": data}], "project": "1.5"})
        assert caller.post("/predict", data=body, auth=BASIC).status_code == 200
