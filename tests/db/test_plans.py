"""The next row of work is the first of an index: with 100,000 rows that wait, none of them is sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, insert
from sqlalchemy.orm import Session

from backend.db import deliveries, events, jobs
from backend.db.engine import Database
from backend.db.tables import Delivery
from backend.db.types import now
from tests.db.helpers import a_task

_TAKING: dict[str, Callable[[Session], object]] = {
    "jobs": lambda session: jobs.lease(session, "w", seconds=60, versions=["m", "n"]),
    "events": lambda session: events.take(session, "w", seconds=60, limit=20),
    "deliveries": lambda session: deliveries.claim(session, "w", seconds=60),
}


def _asked_for_rows(database: Database, take: Callable[[Session], object]) -> list[tuple[str, Any]]:
    """The statements that look for a row that waits, with their values."""
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    with database.write() as session:
        take(session)
    event.remove(database.engine, "before_cursor_execute", note)
    return [pair for pair in asked if "run_after <=" in pair[0] or "run_after IS NULL" in pair[0]]


@pytest.mark.parametrize("kind", _TAKING)
def test_taking_the_next_row_sorts_none(sqlite_database: Database, kind: str) -> None:
    waiting = _asked_for_rows(sqlite_database, _TAKING[kind])
    assert waiting
    with sqlite_database.engine.connect() as connection:
        for statement, parameters in waiting:
            if "ORDER BY event.deaths" in statement:
                continue  # of the few that dead readers left
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not [step for step in plan if "TEMP B-TREE" in step or step.startswith("SCAN")], plan


_MANY = 10_000
_DUE = {"at once": None, "all due": -3600, "none due": 3600}


@pytest.mark.parametrize("when", _DUE)
def test_the_next_delivery_is_the_first_of_an_index_of_either_database(database: Database, when: str) -> None:
    """With so many rows that the planner would rather sort them, if it had to."""
    moment = None if _DUE[when] is None else now() + timedelta(seconds=_DUE[when])
    with database.write() as session:
        row = {"kind": "prediction", "task_id": a_task(session).id, "state": "pending", "run_after": moment}
        session.execute(insert(Delivery), [row] * _MANY)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("ANALYZE delivery")
        connection.commit()
    asked = _asked_for_rows(database, lambda session: deliveries.claim(session, "w", seconds=60))
    assert len(asked) >= 1
    with database.engine.connect() as connection:
        for statement, parameters in asked:
            if database.engine.dialect.name == "sqlite":
                plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
                assert all("SEARCH delivery USING INDEX ix_delivery_queue" in step for step in plan), plan
                continue
            explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}"
            nodes = list(_nodes(connection.exec_driver_sql(explain, parameters).scalar_one()[0]["Plan"]))
            read = sum(node["Actual Rows"] + node.get("Rows Removed by Filter", 0) for node in nodes)
            assert read < 10, f"rows are read that are not taken, or sorted: {nodes}"


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)
