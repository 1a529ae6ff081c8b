"""Events that kill their reader, beside others that do not."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from backend.db import events
from backend.db.engine import Database
from backend.db.lease import MAX_DEATHS
from backend.db.tables import Event
from backend.db.types import now

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
