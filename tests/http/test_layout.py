"""A database that is busy is answered for, one at another migration is not written to."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient
from sqlalchemy import event, text

from backend.cli import serve
from backend.db import schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError, NoDatabase
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC

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


def test_a_project_that_says_the_same_again_takes_no_lock(impatient: FlaskClient, sqlite_database: Database) -> None:
    body = {"project": "1.1", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    assert impatient.post("/setup", json=body, auth=BASIC).status_code == 200
    with _locked(sqlite_database):
        assert impatient.post("/setup", json=body, auth=BASIC).status_code == 200
        assert impatient.post("/setup", json={**body, "hostname": "http://new"}, auth=BASIC).status_code == 503
    assert impatient.post("/setup", json={**body, "hostname": "http://new"}, auth=BASIC).status_code == 200


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
