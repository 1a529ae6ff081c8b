"""The next row of work is the first of an index: with 100,000 rows that wait, none of them is sorted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from backend.db import deliveries, events, jobs
from backend.db.engine import Database

_TAKING: dict[str, Callable[[Session], object]] = {
    "jobs": lambda session: jobs.lease(session, "w", seconds=60, versions=["m", "n"]),
    "events": lambda session: events.take(session, "w", seconds=60, limit=20),
    "deliveries": lambda session: deliveries.claim(session, "w", seconds=60),
}


@pytest.mark.parametrize("kind", _TAKING)
def test_taking_the_next_row_sorts_none(sqlite_database: Database, kind: str) -> None:
    asked: list[tuple[str, Any]] = []

    def note(connection: object, cursor: object, statement: str, parameters: Any, *_: object) -> None:
        asked.append((statement, parameters))

    event.listen(sqlite_database.engine, "before_cursor_execute", note)
    with sqlite_database.write() as session:
        _TAKING[kind](session)
    event.remove(sqlite_database.engine, "before_cursor_execute", note)
    waiting = [pair for pair in asked if "run_after <=" in pair[0]]
    assert waiting
    with sqlite_database.engine.connect() as connection:
        for statement, parameters in waiting:
            if "ORDER BY event.deaths" in statement:
                continue  # of the few that dead readers left
            plan = [row[-1] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)]
            assert not [step for step in plan if "TEMP B-TREE" in step or step.startswith("SCAN")], plan
