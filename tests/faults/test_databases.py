"""Databases that are away, locked, dropped in the middle, read-only or at another migration."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, Engine, event, func, make_url, select, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from backend.db import schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.db.tables import Event, Job
from backend.http.app import create_app
from backend.http.layout import BELIEVED_S, Layout
from tests.db.helpers import CONFIG
from tests.faults.fault import fault
from tests.faults.without import nothing
from tests.http.calls import EVENT
from tests.http.conftest import BASIC, MODEL, make_settings
from tests.http.visitors import HTML
from tests.jobs.conftest import Loop, make_loop

FAULTS = (29,)


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return make_loop(sqlite_database, tmp_path)


def rows(database: Database, table: type[Any]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def served(database: Database) -> FlaskClient:
    return create_app(make_settings(), database=database, model_version=MODEL).test_client()


ADDRESS = "postgresql+psycopg://u:hush@127.0.0.1:1/none"


@fault(29, guard="backend.http.layout.problem", without=nothing)
def test_a_database_that_is_away_gives_503_and_not_ready() -> None:
    web = served(Database(ADDRESS))
    for route, status in (("/health", "DOWN"), ("/ready", "NOT READY")):
        reply: Any = web.get(route)
        assert reply.status_code == 503 and reply.json["status"] == status and "hush" not in reply.text
    for route in ("/webhook", "/setup", "/predict"):
        reply = web.post(route, json=EVENT, auth=BASIC)
        assert reply.status_code == 503 and "hush" not in reply.text
    assert web.get("/", auth=BASIC).json["status"] == "DOWN"  # type: ignore[index]
    assert "stvg_database_up 0.0" in web.get("/metrics", auth=BASIC).text


@fault(29, guard="backend.db.schema._missing", without=nothing)
def test_a_missing_database_is_not_made_and_its_place_is_not_told(tmp_path: Path) -> None:
    health: Any = served(Database(f"sqlite:///{tmp_path / 'gone.sqlite3'}")).get("/health")
    assert health.status_code == 503 and "There is no database yet" in health.json["error"]
    assert "gone.sqlite3" not in health.text and list(tmp_path.iterdir()) == []


@contextmanager
def locked(database: Database) -> Iterator[None]:
    """Somebody else writes, and does not end."""
    assert database.engine.url.database is not None
    with closing(sqlite3.connect(database.engine.url.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def once_connected(database: Database, *pragmas: str) -> None:
    """From now on each connection begins with these."""
    database.engine.dispose()
    for pragma in pragmas:
        event.listen(
            database.engine, "connect", lambda connection, _, said=pragma: connection.execute(f"PRAGMA {said}")
        )


@fault(29, guard="backend.http.errors.AWAY", without=())
def test_a_lock_that_lasts_longer_than_the_patience_gives_503_and_keeps_nothing(sqlite_database: Database) -> None:
    web = served(sqlite_database)
    once_connected(sqlite_database, "busy_timeout=0")
    with locked(sqlite_database):
        for route in ("/webhook", "/setup"):
            body = {**EVENT, "project": 1, "schema": CONFIG} if route == "/setup" else EVENT
            reply: Any = web.post(route, json=body, auth=BASIC)
            assert reply.status_code == 503 and list(reply.json) == ["error"] and "sqlite" not in reply.text.lower()
    assert rows(sqlite_database, Event) == 0
    assert web.post("/webhook", json=EVENT, auth=BASIC).status_code == 404, "it is free again"
    assert rows(sqlite_database, Event) == 1


def at_once(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


@pytest.mark.parametrize("route", ["/health", "/ready", "/", "/versions", "/metrics"])
@fault(29, guard="backend.db.engine._begin_sqlite", without=at_once)
def test_what_only_reads_is_answered_while_another_process_writes(sqlite_database: Database, route: str) -> None:
    web = served(sqlite_database)
    once_connected(sqlite_database, "busy_timeout=0")
    with locked(sqlite_database):
        reply = web.get(route, auth=BASIC)
        assert reply.status_code == 200 and "stvg_database_up 0.0" not in reply.text
        assert reply.json is None or reply.json.get("status") in (None, "UP", "READY")


def without_wal(connection: Any, record: object) -> None:
    connection.isolation_level = None


@fault(29, guard="backend.db.engine._configure_sqlite", without=without_wal)
def test_a_new_sqlite_database_keeps_a_log_ahead_of_it_and_its_foreign_keys(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    schema.upgrade(database.engine)
    with database.read() as session:
        found = [session.execute(text(f"PRAGMA {name}")).scalar_one() for name in ("journal_mode", "foreign_keys")]
    database.close()
    assert found == ["wal", 1]


@fault(29, guard="backend.db.engine.BUSY_SECONDS", without=0)
def test_a_writer_waits_for_another_to_end(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    web, tries, replies = served(database), Signal(), list[int]()

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        if statement == "BEGIN IMMEDIATE":
            tries.set()

    event.listen(database.engine, "before_cursor_execute", note)
    asking = Thread(target=lambda: replies.append(web.post("/webhook", json=EVENT, auth=BASIC).status_code))
    with locked(database):
        asking.start()
        assert tries.wait(600)
        asking.join(1.0)  # for a while, it does not matter how long
    asking.join()
    database.close()
    assert replies == [404] and rows(Database(sqlite_url), Event) == 1


def end_connections(database: Database) -> None:
    """As if the server were restarted: every connection of this program is gone."""
    server = make_url(str(database.engine.url.render_as_string(hide_password=False)))
    other = Database(server.render_as_string(hide_password=False))
    with other.engine.connect() as connection:
        mine = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        connection.execute(text(f"{mine} AND pid <> pg_backend_pid()"))
    other.close()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@fault(29, guard="backend.http.errors.AWAY", without=())
def test_a_connection_that_is_dropped_in_the_middle_gives_503_and_the_next_request_is_answered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.db import events

    web, store = served(database), events.store

    def dropped(*given: Any, **more: Any) -> Any:
        end_connections(database)
        return store(*given, **more)

    with monkeypatch.context() as patch:
        patch.setattr("backend.http.webhook.events.store", dropped)
        reply: Any = web.post("/webhook", json=EVENT, auth=BASIC)
    assert reply.status_code == 503 and list(reply.json) == ["error"]
    assert rows(database, Event) == 0
    assert web.post("/webhook", json=EVENT, auth=BASIC).status_code == 404 and rows(database, Event) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@fault(29, guard="backend.jobs.worker.AWAY", without=())
def test_a_worker_whose_connection_is_dropped_puts_its_job_back(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.jobs import grounding

    loop, store = make_loop(database, tmp_path), grounding.store_answer
    loop.ask(loop.task(1))

    def dropped(*given: Any) -> Any:
        given[0].execute(select(Job.id))  # the transaction has begun
        end_connections(database)
        return store(*given)

    with monkeypatch.context() as patch:
        patch.setattr("backend.jobs.grounding.store_answer", dropped)
        try:
            loop.worker.run_once()
        except SQLAlchemyError as error:
            assert isinstance(error, OperationalError)
    job = loop.job()
    assert (job.state, job.attempts, job.deaths, job.leased_by) == ("queued", 0, 0, None)
    assert loop.worker.drain() == 1 and loop.job().state == "done"


@fault(29, guard="backend.jobs.worker.SQLAlchemyError", without=ZeroDivisionError, by=OperationalError)
def test_a_worker_waits_for_a_database_that_is_away(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop.worker, "database", Database(ADDRESS))
    waited: list[float] = []

    def wait(seconds: float) -> bool:
        waited.append(seconds)
        loop.worker.stop.set()
        return True

    monkeypatch.setattr(loop.worker.stop, "wait", wait)
    loop.worker.run()
    assert waited == [5.0]


ONLY_READS = "?options=-c%20default_transaction_read_only%3Don"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@fault(29, guard="backend.db.schema.check_writable", without=nothing)
def test_a_database_that_can_only_be_read_is_not_ready(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of another user's, a volume that is mounted to be read, a standby server."""
    if kind == "sqlite":
        url = request.getfixturevalue("sqlite_url")
        monkeypatch.setattr("backend.db.schema.os.access", lambda path, mode: False)
    else:
        url = request.getfixturevalue("postgres_url") + ONLY_READS
    database = Database(url)
    web = served(database)
    for route in ("/health", "/ready"):
        reply: Any = web.get(route)
        assert reply.status_code == 503 and "can only be read" in reply.json["error"], route
    assert web.post("/webhook", json=EVENT, auth=BASIC).status_code == 503
    with pytest.raises(DatabaseError, match="can only be read"):
        schema.check_writable(database.engine)
    database.close()


def unread(context: Any) -> None:
    """What the server says is passed on."""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@fault(29, guard="backend.http.errors.AWAY", without=(), also={"backend.db.engine._for_now": unread})
def test_a_write_to_a_database_that_can_only_be_read_gives_503(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It became so a moment ago; nobody has looked yet."""
    monkeypatch.setattr("backend.db.schema.check_writable", nothing)
    if kind == "sqlite":
        database = Database(request.getfixturevalue("sqlite_url"))
        once_connected(database, "query_only=ON")
    else:
        database = Database(
            request.getfixturevalue("postgres_url") + "?options=-c%20default_transaction_read_only%3Don"
        )
    reply: Any = served(database).post("/webhook", json=EVENT, auth=BASIC)
    database.close()
    assert reply.status_code == 503 and list(reply.json) == ["error"]


@contextmanager
def at(database: Database, migration: str) -> Iterator[None]:
    """The database is at another migration meanwhile."""
    change = text("UPDATE alembic_version SET version_num = :number")
    with database.engine.begin() as connection:
        connection.execute(change, {"number": migration})
    yield
    with database.engine.begin() as connection:
        connection.execute(change, {"number": schema.head_revision()})


def unasked(engine: Engine) -> None:
    """Whatever migration the database is at."""


@pytest.mark.parametrize("migration", ["0000", "9999"])
@fault(29, guard="backend.db.schema.check_ready", without=unasked)
def test_nothing_is_stored_at_another_migration(sqlite_database: Database, migration: str) -> None:
    web = served(sqlite_database)
    with at(sqlite_database, migration):
        for route in ("/health", "/ready"):
            reply: Any = web.get(route)
            assert reply.status_code == 503 and "stvg db upgrade" in reply.json["error"]
        for route in ("/webhook", "/setup", "/predict"):
            reply = web.post(route, json=EVENT, auth=BASIC)
            assert reply.status_code == 503 and "stvg db upgrade" in reply.json["error"], route
        page = web.get("/review/", headers=HTML)
        assert page.status_code == 503 and "stvg db upgrade" in page.text and "<html" in page.text
        assert web.get("/", auth=BASIC).json["status"] == "DOWN"  # type: ignore[index]
        assert web.get("/metrics", auth=BASIC).status_code == 200
        assert web.post("/webhook", json=EVENT).status_code == 401, "strangers are told nothing"
    assert rows(sqlite_database, Event) == rows(sqlite_database, Job) == 0
    assert web.post("/webhook", json=EVENT, auth=BASIC).status_code == 404, "a bad answer is not believed"


@fault(29, guard="backend.http.layout.BELIEVED_S", without=float("inf"))
def test_a_migration_below_a_running_service_is_noticed(sqlite_database: Database) -> None:
    now = 100.0
    layout = Layout(sqlite_database.engine, lambda: now)
    assert layout.problem() is None
    with at(sqlite_database, "0000"):
        now += BELIEVED_S
        assert "at migration 0000" in (layout.problem() or "")
    assert layout.problem() is None
