"""Events that come twice, late or from nowhere, and callers and bodies that are not what they should be."""

from __future__ import annotations

import io
import json
import logging
import random
import sys
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Response
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db import projects
from backend.db.engine import Database
from backend.db.tables import Annotation, Base, Event, Job
from backend.http import pages
from backend.http.app import create_app
from backend.http.errors import failure
from backend.jobs.corrections import read_events
from backend.logs import JsonFormatter, RedactingFormatter
from tests.db.helpers import CONFIG
from tests.faults.fault import fault
from tests.faults.without import same, yes
from tests.http.calls import EVENT, count
from tests.http.conftest import API_TOKEN, BASIC, MODEL, WEBHOOK_TOKEN, make_settings

FAULTS = (27, 28)

BOX = {"id": "R1", "from_name": "box", "to_name": "video", "type": "videorectangle"}


@pytest.fixture
def web(sqlite_database: Database) -> Iterator[FlaskClient]:
    with create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client() as caller:
        yield caller


@pytest.fixture
def connected(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    """The same, when project 1 is known."""
    with sqlite_database.write() as session:
        projects.register(session, 1, CONFIG)
    return web


def saved(minute: int, left: float, action: str = "ANNOTATION_UPDATED", **more: Any) -> dict[str, Any]:
    """Annotation 8 as it was saved in this minute, its box so far from the left."""
    place = {"x": left, "y": 20, "width": 15, "height": 30, "rotation": 0, "time": 0.2, "enabled": True}
    result = [{**BOX, "value": {"framesCount": 50, "sequence": [{"frame": 6, **place}]}}]
    annotation = {"id": 8, "task": 13, "result": result, "updated_at": f"2026-11-22T11:{minute:02}:00.000000Z"}
    return {**EVENT, "action": action, "annotation": annotation | more}


DELETED = {"action": "ANNOTATIONS_DELETED", "annotations": [{"id": 8}], "project": {"id": 1}}


def send(web: FlaskClient, *bodies: object) -> list[int]:
    return [web.post("/webhook", json=body, auth=BASIC).status_code for body in bodies]


def left_of(database: Database) -> list[float]:
    """Where the boxes lie that count now."""
    with database.read() as session:
        return [row.result[0]["value"]["sequence"][0]["x"] for row in versions.current(session)]


def kept_again(session: Session, table: type[Base], unique: str, **values: Any) -> bool:
    session.add(table(**values | {unique: f"{random.getrandbits(250):x}"}))
    return True


@fault(27, guard="backend.db.events.insert_once", without=kept_again)
def test_the_very_same_event_is_kept_once(connected: FlaskClient, sqlite_database: Database) -> None:
    headers = {"X-STVG-Token": WEBHOOK_TOKEN}
    replies: list[Any] = [connected.post("/webhook", json=EVENT, headers=headers) for _ in range(3)]
    assert [reply.status_code for reply in replies] == [200, 200, 200]
    assert [reply.json["status"] for reply in replies] == ["stored", "known", "known"]
    with sqlite_database.read() as session:
        assert b'"was_cancelled": true' in session.scalars(select(Event)).one().body
    assert count(sqlite_database, Annotation) == 0 and read_events(sqlite_database) == 1
    assert count(sqlite_database, Annotation) == 1


@fault(27, guard="backend.db.annotations.is_known", without=lambda said, digest: False, by=IntegrityError)
def test_one_saved_state_in_two_events_is_one_version(connected: FlaskClient, sqlite_database: Database) -> None:
    """Label Studio tells of an annotation under two names; the two bodies differ, what was saved does not."""
    twice = saved(0, 10.0, "ANNOTATION_CREATED"), saved(0, 10.0, "ANNOTATION_UPDATED")
    for body in twice:
        assert send(connected, body) == [200] and read_events(sqlite_database) == 1
    with sqlite_database.read() as session:
        assert [row.version for row in versions.versions(session, 8)] == [1]
        assert session.scalars(select(Event.state)).all() == ["done", "done"]


def last_to_arrive(said: Any) -> Any:
    return said[-1] if said and not said[-1].deleted else None


@fault(27, guard="backend.db.annotations._counting", without=last_to_arrive)
def test_doubled_and_late_events_end_the_same(connected: FlaskClient, sqlite_database: Database) -> None:
    for number, order in enumerate([(0, 1, 2), (2, 1, 0), (1, 2, 0)]):
        bodies = [saved(minute, 10.0 * minute, id=number) for minute in (0, 1, 2)]
        for position in order:
            assert send(connected, bodies[position], bodies[position]) == [200, 200]
            read_events(sqlite_database)
    assert left_of(sqlite_database) == [20.0] * 3, "the one that was saved last, not the one that came last"
    with sqlite_database.read() as session:
        assert [[row.version for row in versions.versions(session, n)] for n in range(3)] == [[1, 2, 3]] * 3


@fault(27, guard="backend.db.annotations._counting", without=last_to_arrive)
def test_what_comes_after_a_deletion_revives_nothing(connected: FlaskClient, sqlite_database: Database) -> None:
    for body in (saved(0, 10.0, "ANNOTATION_CREATED"), DELETED, saved(1, 20.0), DELETED, saved(0, 10.0)):
        assert send(connected, body) == [200]
        read_events(sqlite_database)
    assert left_of(sqlite_database) == []
    assert send(connected, {"action": "TASKS_DELETED", "tasks": [{"id": 13}], "project": {"id": 1}}) == [200]
    assert send(connected, {**DELETED, "annotations": [{"id": 99}]}) == [200], "one that was never heard of"
    read_events(sqlite_database)
    with sqlite_database.read() as session:
        assert "failed" not in session.scalars(select(Event.state)).all()


@fault(27, guard="backend.db.projects.find", without=lambda session, number: number)
def test_an_event_of_an_unknown_project_gets_404_and_is_read_once_it_is_known(
    web: FlaskClient, sqlite_database: Database
) -> None:
    assert send(web, EVENT, EVENT) == [404, 404] and count(sqlite_database, Event) == 1
    assert read_events(sqlite_database) == 0
    with sqlite_database.write() as session:
        projects.register(session, 1, CONFIG)
    assert read_events(sqlite_database) == 1 and count(sqlite_database, Annotation) == 1
    assert send(web, {"action": "START_TRAINING"}) == [200], "one that names no project"


STRANGERS = [
    {},
    {"Authorization": "Token wrong"},
    {"Authorization": "Bearer "},
    {"Authorization": "Token"},
    {"Authorization": "Basic !!!"},
    {"Authorization": "Basic c3R2Zzp3cm9uZw=="},
    {"Authorization": "Basic Og=="},
    {"X-STVG-Token": "wrong"},
    {"X-STVG-Token": "naïve"},
    {"X-STVG-Token": API_TOKEN[:-1]},
    {"X-STVG-Token": API_TOKEN.upper()},
]
PROTOCOL = [("GET", "/"), ("POST", "/setup"), ("POST", "/predict"), ("POST", "/webhook"), ("GET", "/versions")]
PROTOCOL += [("GET", "/metrics"), ("GET", "/openapi.json"), ("GET", "/nowhere")]


@pytest.mark.parametrize("number", range(len(STRANGERS)))
@fault(28, guard="backend.http.auth.Guard.admits", without=yes)
def test_strangers_get_401_and_one_sentence(web: FlaskClient, sqlite_database: Database, number: int) -> None:
    for method, route in PROTOCOL:
        reply: Any = web.open(route, method=method, headers=STRANGERS[number], data=json.dumps(EVENT))
        assert reply.status_code == 401 and list(reply.json) == ["error"], route
        assert reply.headers["WWW-Authenticate"].startswith("Basic")
        assert API_TOKEN not in reply.text and BASIC[1] not in reply.text
    assert count(sqlite_database, Event) == count(sqlite_database, Job) == 0


@fault(28, guard="backend.http.auth._WEBHOOK", without=None)
@fault(28, guard="backend.http.auth.Guard.admits", without=yes)
def test_the_webhooks_token_opens_the_webhook_only(web: FlaskClient) -> None:
    for method, route in PROTOCOL:
        reply = web.open(route, method=method, headers={"X-STVG-Token": WEBHOOK_TOKEN}, data=b"{")
        assert reply.status_code == (400 if route == "/webhook" else 401), route


@fault(28, guard="backend.http.pages.OPEN", without=frozenset({"login.login", "review.queue_page", "export.page"}))
def test_the_pages_know_people_by_their_session_only(web: FlaskClient) -> None:
    for path in ("/review/", "/review/tasks/1", "/review/work", "/review/export", "/review/audit"):
        for given in ({"auth": BASIC}, {"headers": {"X-STVG-Token": API_TOKEN}}, {}):
            reply = web.get(path, **given)  # type: ignore[arg-type]
            assert reply.status_code in (303, 401) and "<table" not in reply.text, path
    assert "login.login" in pages.OPEN


UNLIMITED = property(lambda request: None)


@pytest.mark.parametrize("route", ["/setup", "/predict", "/webhook"])
@fault(28, guard="flask.wrappers.Request.max_content_length", without=UNLIMITED)
def test_too_large_a_body_gets_413(web: FlaskClient, sqlite_database: Database, route: str) -> None:
    large = b'{"action": "X", "project": {"id": 1}}' + b" " * 200_000
    assert web.post(route, data=large, auth=BASIC).status_code == 413
    # Of unstated length, sent in chunks: cut off unnoticed, half of it would be stored.
    for size in (200_000, 300_000):
        body = io.BytesIO(b'{"action": "X", "project": {"id": 1}}' + b" " * size)
        chunked = {"wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
        reply = web.post(route, input_stream=body, auth=BASIC, environ_overrides=chunked)
        assert reply.status_code == 413
    assert count(sqlite_database, Event) == 0


BAD_JSON = [
    b"",
    b"{",
    b"\xff\xfe",
    b"\xef\xbb\xbf{}",
    b"[" * 50_000,
    b'{"a": tru}',
    b"{'a': 1}",
    b'{"action": "X"',
    b"\x00",
]
NO_OBJECT = [b"null", b"[]", b"3", b'"x"', b'{"a": 1e999999, "project": {}}', b'{"a": NaN}']


@pytest.mark.parametrize("route", ["/setup", "/predict", "/webhook"])
@fault(
    28,
    guard="backend.http.webhook.parse_json",
    without=json.loads,
    also={"backend.http.predict.parse_json": json.loads},
)
def test_what_is_no_json_gets_400_and_one_sentence(web: FlaskClient, route: str) -> None:
    for body in BAD_JSON + NO_OBJECT:
        reply: Any = web.post(route, data=body, auth=BASIC)
        assert reply.status_code == 400 and "Traceback" not in reply.text, body
        assert list(reply.json) == ["error"] and reply.json["error"].endswith(".")


@pytest.mark.parametrize("shape", ["list", "object"])
@fault(28, guard="backend.labelstudio.values.MAX_DEPTH", without=10**9)
def test_what_is_nested_too_deeply_gets_400(connected: FlaskClient, shape: str) -> None:
    """Of the tasks that Label Studio sends by itself it is left out instead (tests/http/test_odd_bodies.py)."""
    asked = '{"project": "1.1", "params": {"context": {"result": []}}, "tasks": [{"id": 1, "data": {"x": %s}}]}'
    for depth in (101, 480, 950, 3000, 30_000):
        deep = "[" * depth + "]" * depth if shape == "list" else '{"a":' * depth + "1" + "}" * depth
        for route, body in (
            ("/predict", asked),
            ("/webhook", '{"action": "X", "project": {"id": 1}, "task": {"id": 1, "data": {"x": %s}}}'),
            ("/setup", '{"project": "1.1", "schema": "", "x": %s}'),
        ):
            reply: Any = connected.post(route, data=body % deep, auth=BASIC)
            assert reply.status_code == 400 and "nested" in reply.json["error"], (route, depth)


SECRET = "detail-with-a-secret"


def told_in_full(sentence: str, status: int) -> Response:
    return failure(f"{sentence} {traceback.format_exc()}", status)


@fault(28, guard="backend.http.errors.answer", without=told_in_full)
def test_a_defect_shows_no_traceback_and_is_logged(
    connected: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def defect(*args: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("backend.http.predict._config", defect)
    with caplog.at_level(logging.ERROR):
        asked = {"tasks": [{"id": 1, "data": {}}], "project": 1}
        reply: Any = connected.post("/predict", json=asked, auth=BASIC)
    assert reply.status_code == 500 and list(reply.json) == ["error"]
    assert not any(word in reply.text for word in (SECRET, "ZeroDivision", "Traceback", ".py"))
    assert SECRET in caplog.text and "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        "Authorization: Token 0123456789abcdef",
        "{'Authorization': 'Bearer eyJhbGciOi.abc.def'}",
        '{"access_token": "0123456789abcdef"}',
        "GET http://h/a.mp4?token=0123456789abcdef&x=1",
        "https://bucket/a.mp4?X-Amz-Signature=0123456789abcdef",
        "postgresql+psycopg://user:0123456789abcdef@host/db",
        "X-STVG-Token: 0123456789abcdef",
        "Basic MDEyMzQ1Njc4OWFiY2RlZg==",
    ],
)
@fault(28, guard="backend.logs._SHAPES", without=[])
def test_nothing_that_looks_like_a_credential_reaches_a_log(line: str) -> None:
    for kind in (RedactingFormatter, JsonFormatter):
        written = kind().format(logging.LogRecord("x", logging.ERROR, "f", 1, line, (), None))
        assert not any(part in written for part in ("0123456789abcdef", "eyJhbGciOi", "MDEyMzQ1"))
        assert "[hidden]" in written


@pytest.mark.parametrize("kind", [RedactingFormatter, JsonFormatter])
@fault(28, guard="backend.logs.redact", without=same)
def test_the_services_secrets_are_in_no_line_and_no_traceback(kind: type[RedactingFormatter]) -> None:
    formatter = kind(make_settings(database_url="postgresql://u:db-pass@h/d").secrets())
    try:
        raise RuntimeError(f"it said {BASIC[1]}")
    except RuntimeError:
        info = sys.exc_info()
    for message, args in (("token %s, %s", (API_TOKEN, "db-pass")), ("one %s", (WEBHOOK_TOKEN, "too many"))):
        line = formatter.format(logging.LogRecord("x", logging.ERROR, "f", 1, message, args, info))
        assert "RuntimeError" in line and "[hidden]" in line
        assert not any(secret in line for secret in (API_TOKEN, WEBHOOK_TOKEN, BASIC[1], "db-pass"))
