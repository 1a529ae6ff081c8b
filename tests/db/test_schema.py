"""Migrations: they build what the tables say, go back, and are noticed when they are missing."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from backend.db import annotations, deliveries, diffs, projects, schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.db.tables import Base
from backend.review.recording import record_missing
from tests.db.helpers import a_prediction, a_task


def test_migrations_build_exactly_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_downgrade_removes_everything_and_upgrade_brings_it_back(database: Database) -> None:
    schema.downgrade(database.engine, "base")
    assert set(inspect(database.engine).get_table_names()) <= {"alembic_version"}
    with pytest.raises(DatabaseError, match="stvg db upgrade"):
        schema.check_ready(database.engine)
    schema.upgrade(database.engine)
    schema.check_ready(database.engine)


def test_an_old_migration_is_named(database: Database) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    try:
        with pytest.raises(DatabaseError, match=r"at migration 0000.*stvg db upgrade"):
            schema.check_ready(database.engine)
    finally:
        with database.engine.begin() as connection:
            connection.execute(text(f"UPDATE alembic_version SET version_num = '{schema.head_revision()}'"))


def test_a_database_with_rows_is_upgraded(database: Database) -> None:
    """From the first layout on, with a correction in it: nothing of it changes, and its diff can be computed."""
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        tube = {"region_id": "r", "label": "Target", "intervals": [[2, 9]], "keyframes": prediction.keyframes}
        annotations.add_version(
            session, digest="d", ls_annotation_id=5, task_id=task.id, prediction_id=prediction.id, tubes=[tube]
        )
    schema.downgrade(database.engine, "0001")
    assert "diff" not in inspect(database.engine).get_table_names()
    before = _rows(database)
    schema.upgrade(database.engine)
    schema.check_ready(database.engine)
    after = _rows(database)
    for table, rows in before.items():  # every column as it was, new ones empty
        assert [{key: row[key] for key in old} for old, row in zip(rows, after[table], strict=True)] == rows
    assert all(rows == [] for table, rows in after.items() if table not in {*before, "task_state"})
    assert before["annotation"] and before["prediction"] and after["prediction"][0]["uncertainty"] is None
    assert record_missing(database) == 1
    [row] = _rows(database)["diff"]
    assert row["change"] == "accepted as is" and row["prediction_id"] == prediction.id and row["viou"] == 1


def test_the_queue_of_deliveries_gets_its_index_and_rows_are_kept(database: Database) -> None:
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        projects.register(session, 1, "", "https://one.example")
        deliveries.owe(session, prediction.id, task.id)
        deliveries.tell_decision(session, task.id, "rejected")
        deliveries.hand_out(session, prediction.id, task.id, window_s=60)
    before = _rows(database)
    columns = ["state", "run_after", "id"]
    for revision in ("0008", "0007", "0008"):
        move = schema.downgrade if revision == "0007" else schema.upgrade
        move(database.engine, revision)
        [index] = [
            one for one in inspect(database.engine).get_indexes("delivery") if one["name"] == "ix_delivery_queue"
        ]
        assert index["column_names"] == (columns[:2] if revision == "0007" else columns)
        assert _rows(database)["delivery"] == before["delivery"] and len(before["delivery"]) == 2
        [project] = _rows(database)["project"]
        assert project.items() <= before["project"][0].items() and project["hostname"] == "https://one.example"
    schema.upgrade(database.engine)


def test_going_back_keeps_the_diffs_of_the_tasks_own_objects(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        annotations.add_version(session, digest="d", ls_annotation_id=5, task_id=task.id)
        row = annotations.find(session, "d")
        assert row is not None
        assert diffs.store(session, row.id, change="left empty")
        assert diffs.store(session, row.id, object=1, sentence="the dog", change="drawn from nothing")
        assert not diffs.store(session, row.id, change="skipped")
    schema.downgrade(database.engine, "0002")
    assert [row["change"] for row in _rows(database)["diff"]] == ["left empty"]
    schema.upgrade(database.engine)
    with database.read() as session:
        [(number, kept)] = diffs.by_annotation(session).items()
    assert number == kept.annotation_id and kept.object == 0 and kept.sentence is None


def _rows(database: Database) -> dict[str, list[dict[str, Any]]]:
    tables = sorted(set(inspect(database.engine).get_table_names()) - {"alembic_version"})
    with database.engine.connect() as connection:
        return {t: [dict(row) for row in connection.execute(text(f"SELECT * FROM {t}")).mappings()] for t in tables}


def test_upgrading_twice_changes_nothing(database: Database) -> None:
    schema.upgrade(database.engine)
    schema.check_ready(database.engine)


def test_a_server_whose_machine_is_gone_is_given_up_soon(postgres_url: str) -> None:
    """The system itself waits for an answer for two hours; a request or a worker would hang as long."""
    database = Database(postgres_url)
    with database.read() as session:
        number = session.connection().connection.driver_connection.fileno()  # type: ignore[union-attr]
        with socket.socket(fileno=os.dup(number)) as line:
            assert line.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
            assert line.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            options = socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT
            assert [line.getsockopt(socket.IPPROTO_TCP, option) for option in options] == [15, 5, 3]
    database.close()


def test_a_database_that_is_away_is_said_without_its_password() -> None:
    database = Database("postgresql+psycopg://someone:hush@127.0.0.1:1/none")
    with pytest.raises(DatabaseError, match="cannot be reached") as caught:
        schema.check_ready(database.engine)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_unusable_addresses_are_refused(url: str) -> None:
    with pytest.raises(DatabaseError):
        Database(url)


def test_sqlite_runs_in_wal_mode(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'deeper' / 'x.sqlite3'}")
    schema.upgrade(database.engine)
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
