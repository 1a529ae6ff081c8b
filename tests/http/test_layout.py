"""A database that is busy is answered for, one at another migration is not written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import event, select, text

from backend.cli import serve
from backend.db import schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError, NoDatabase
from backend.db.tables import Event
from backend.http.layout import BELIEVED_S, Layout
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC
from tests.http.visitors import HTML

EVENT = {"action": "X", "project": {"id": 1}}


@contextmanager
def _locked(database: Database) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    assert database.engine.url.database is not None
    with closing(sqlite3.connect(database.engine.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


@contextmanager
def _at(database: Database, migration: str) -> Iterator[None]:
    """The database is at another migration meanwhile."""
    change = text("UPDATE alembic_version SET version_num = :number")
    with database.engine.begin() as connection:
        connection.execute(change, {"number": migration})
    yield
    with database.engine.begin() as connection:
        connection.execute(change, {"number": schema.head_revision()})


@pytest.fixture
def impatient(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    """A service whose connections do not wait for a lock: waiting for it is a failure at once."""
    sqlite_database.engine.dispose()
    event.listen(sqlite_database.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=0"))
    return web


@pytest.mark.parametrize("route", ["/health", "/ready", "/", "/versions", "/metrics"])
def test_what_only_reads_is_answered_while_another_process_writes(
    impatient: FlaskClient, sqlite_database: Database, route: str
) -> None:
    with _locked(sqlite_database):
        assert impatient.get(route, auth=BASIC).status_code == 200
        assert impatient.post("/webhook", json=EVENT, auth=BASIC).status_code == 503, "the lock is held"
    assert impatient.post("/webhook", json=EVENT, auth=BASIC).status_code == 404, "it is free again"


def test_a_project_that_says_the_same_again_takes_no_lock(impatient: FlaskClient, sqlite_database: Database) -> None:
    body = {"project": "1.1", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    assert impatient.post("/setup", json=body, auth=BASIC).status_code == 200
    with _locked(sqlite_database):
        assert impatient.post("/setup", json=body, auth=BASIC).status_code == 200
        assert impatient.post("/setup", json={**body, "hostname": "http://new"}, auth=BASIC).status_code == 503
    assert impatient.post("/setup", json={**body, "hostname": "http://new"}, auth=BASIC).status_code == 200


def test_ready_names_the_migration(web: FlaskClient, sqlite_database: Database) -> None:
    assert web.get("/ready").json == {"status": "READY", "migration": schema.head_revision()}
    with _at(sqlite_database, "0000"):
        response = web.get("/ready")
        assert response.status_code == 503 and response.json["status"] == "NOT READY"
        assert "stvg db upgrade" in response.json["error"]


def test_nothing_is_stored_at_another_migration(connected: FlaskClient, sqlite_database: Database) -> None:
    connected.application.extensions["stvg_layout"]._good_until = None
    with _at(sqlite_database, "0000"):
        for route in ("/webhook", "/setup", "/predict"):
            response = connected.post(route, json=EVENT, auth=BASIC)
            assert response.status_code == 503 and "stvg db upgrade" in response.json["error"], route
        page = connected.get("/review/", headers=HTML)
        assert page.status_code == 503 and "stvg db upgrade" in page.text and "<html" in page.text
        assert connected.get("/", auth=BASIC).json["status"] == "DOWN"
        assert connected.get("/metrics", auth=BASIC).status_code == 200
        assert connected.post("/webhook", json=EVENT).status_code == 401, "strangers are told nothing"
    with sqlite_database.read() as session:
        assert session.scalars(select(Event)).all() == []
    assert connected.post("/webhook", json=EVENT, auth=BASIC).status_code == 200, "a bad answer is not believed"


def test_a_good_answer_is_believed_for_a_short_while_only(sqlite_database: Database) -> None:
    now = 100.0
    layout = Layout(sqlite_database.engine, lambda: now)
    assert layout.problem() is None
    with _at(sqlite_database, "0000"):
        now += BELIEVED_S / 2
        assert layout.problem() is None
        now += BELIEVED_S / 2
        assert "at migration 0000" in (layout.problem() or "")
    assert layout.problem() is None


def test_serve_does_not_start_at_another_migration(sqlite_url: str, sqlite_database: Database) -> None:
    environment = {"STVG_USERNAME": "u", "STVG_PASSWORD": "a-long-password", "STVG_DATABASE_URL": sqlite_url}
    with _at(sqlite_database, "0000"):
        result = CliRunner().invoke(serve.command, [], env=environment)
    assert isinstance(result.exception, DatabaseError) and "stvg db upgrade" in str(result.exception)
    assert "listens" not in result.output


def test_serve_does_not_start_without_a_database(tmp_path_factory: pytest.TempPathFactory) -> None:
    missing = tmp_path_factory.mktemp("none") / "gone.sqlite3"
    environment = {"STVG_USERNAME": "u", "STVG_PASSWORD": "p" * 12, "STVG_DATABASE_URL": f"sqlite:///{missing}"}
    result = CliRunner().invoke(serve.command, [], env=environment)
    assert isinstance(result.exception, NoDatabase) and not missing.exists()
