"""Events that kill their reader, beside others that do not."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import update

from backend.db import events
from backend.db.engine import Database
from backend.db.lease import MAX_DEATHS
from backend.db.tables import Event
from backend.db.types import now
from tests.db.helpers import statements

_DEADLY = b"1"


def _read_until_it_kills(database: Database) -> bool:
    """What a reader does that dies at one event; False where it found none to read."""
    with database.write() as session:
        held = events.take(session, "reader", seconds=60, limit=20)
    for row in held:
        if row.body == _DEADLY:
            break
        with database.write() as session:
            assert row.leased_by is not None
            assert events.close(session, row.id, row.leased_by, "done")
    with database.write() as session:
        left = update(Event).where(Event.state == Event.HELD)
        session.execute(left.values(lease_until=now() - timedelta(seconds=1)))
    return bool(held)


def test_events_that_were_only_taken_together_with_a_deadly_one_are_read(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for body in (_DEADLY, b"2", b"3"):
            events.store(session, body, action="ANNOTATION_CREATED", project_id=None)
    readers = 0
    while _read_until_it_kills(sqlite_database):
        readers += 1
        assert readers < 3 * MAX_DEATHS
    with sqlite_database.read() as session:
        counts = events.counts(session)
    assert (counts["done"], counts["failed"]) == (2, 1)


def _ready(database: Database, *, limit: int = 9) -> int:
    with database.read() as session:
        return events.ready(session, limit=limit)


def test_so_many_events_are_read_together_as_are_small_enough(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "MOST_BYTES", 100)
    assert _ready(database) == 0
    for size in (40, 50, 30, 1):
        with database.write() as session:
            events.store(session, b"x" * size, action="X", project_id=None)
    assert _ready(database, limit=1) == 1 and _ready(database) == 2, "the third would be too much"
    with database.write() as session:
        session.execute(update(Event).values(run_after=now() + timedelta(hours=1)))
    assert _ready(database) == 0, "none of them is due"
    with database.write() as session:
        events.store(session, b"y" * 101, action="X", project_id=None)
    assert _ready(database) == 1, "a large one is read alone"
    with database.write() as session:
        assert len(events.take(session, "reader", seconds=-1, limit=9)) == 1
    assert _ready(database) == 1, "one whose reader is gone"


def test_taking_more_events_takes_no_more_statements(database: Database) -> None:
    counts = []
    for count in (1, 7):
        for number in range(count):
            with database.write() as session:
                events.store(session, f"{count} {number}".encode(), action="X", project_id=None)
        with statements(database) as seen, database.write() as session:
            assert len(events.take(session, "reader", seconds=60, limit=9)) == count
        counts.append(len([one for one in seen if "clock_timestamp" not in one]))
    assert counts == [3, 3], "a look for those whose reader is gone, the events, and who holds them"
