"""``/webhook`` as Label Studio 1.23.2 calls it: what comes is kept at once and read later."""

from __future__ import annotations

import threading
from threading import Thread
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Annotation, Event
from backend.jobs.corrections import read_events
from tests.db.helpers import CONFIG
from tests.http.calls import EVENT, count, predict
from tests.http.conftest import BASIC, WEBHOOK_TOKEN
from tests.jobs.conftest import make_loop


def test_an_event_is_kept_as_it_came_and_doubled_events_once(connected: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    headers = {"X-STVG-Token": WEBHOOK_TOKEN}
    replies = [connected.post("/webhook", json=EVENT, headers=headers) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [200, 200]
    assert [reply.json["status"] for reply in replies] == ["stored", "known"]
    with database.read() as session:
        assert b'"was_cancelled": true' in session.scalars(select(Event)).one().body
    assert count(database, Annotation) == 0 and read_events(database) == 1 and count(database, Annotation) == 1


def test_an_event_of_an_unknown_project_gets_404_and_is_read_later(web: FlaskClient, sqlite_database: Database) -> None:
    database = sqlite_database
    response = web.post("/webhook", json=EVENT, auth=BASIC)
    assert response.status_code == 404 and count(database, Event) == 1 and read_events(database) == 0
    web.post("/setup", json={"project": "1.1", "schema": CONFIG}, auth=BASIC)
    assert read_events(database) == 1 and count(database, Annotation) == 1


def test_an_event_of_no_project_is_kept(web: FlaskClient) -> None:
    assert web.post("/webhook", json={"action": "START_TRAINING"}, auth=BASIC).status_code == 200


def test_the_webhook_answers_while_the_worker_grounds(
    connected: FlaskClient, sqlite_database: Database, tmp_path: Any
) -> None:
    """Label Studio waits one second and never sends again: the answer must not wait for the worker."""
    predict(connected, 1)
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
