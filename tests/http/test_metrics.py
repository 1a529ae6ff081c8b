"""What `/metrics` says of the queues, and that it asks the indexes for it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from backend.db import deliveries, events
from backend.db.engine import Database
from backend.db.tables import Delivery, Event, Job
from backend.db.types import now
from backend.http import lags
from tests.db.helpers import a_job, a_prediction, a_task
from tests.http.conftest import BASIC

AGES = (lags.oldest_queued_job, lags.oldest_new_event, lags.longest_due_push)


def value(web: FlaskClient, name: str) -> float:
    lines = web.get("/metrics", auth=BASIC).text.splitlines()
    [found] = [line for line in lines if line.startswith(f"{name} ")]
    return float(found.split()[1])


def fill(session: Session, seconds: float) -> None:
    """One of each that has waited for so long, and one of each that waits not or shorter."""
    early = now() - timedelta(seconds=seconds)
    task = a_task(session)
    for number, (state, created) in enumerate((("done", early), ("queued", early), ("queued", now()))):
        job = a_job(session, task, identity=f"i{number}")
        job.state, job.created_at = state, created
    for number, (state, received) in enumerate((("done", early), ("new", early), ("new", now()))):
        events.store(session, b"%d" % number, action="X", project_id=1, state=state)
        row = session.query(Event).order_by(Event.id.desc()).first()
        assert row is not None
        row.received_at = received
    for number, (state, due) in enumerate(
        (("delivered", early), ("pending", early), ("sending", now()), ("pending", now() + timedelta(hours=1)))
    ):
        deliveries.owe(session, a_prediction(session, identity=f"p{number}").id, task.id)
        row = session.query(Delivery).order_by(Delivery.id.desc()).first()
        assert row is not None
        row.state, row.run_after, row.lease_until = state, due, due


def test_nothing_waits(web: FlaskClient, sqlite_database: Database) -> None:
    names = ("stvg_jobs_oldest_queued_seconds", "stvg_events_lag_seconds", "stvg_deliveries_lag_seconds")
    assert [value(web, name) for name in names] == [0.0, 0.0, 0.0]
    with sqlite_database.write() as session:
        fill(session, 7200)
    assert all(value(web, name) >= 7200 for name in names)
    assert 'stvg_jobs{state="queued"} 2.0' in web.get("/metrics", auth=BASIC).text


@pytest.mark.parametrize("age", AGES)
def test_each_age_is_found_and_reads_an_index(database: Database, age: Callable[[Session], float]) -> None:
    with database.write() as session:
        fill(session, 3600)
    asked: list[tuple[str, object]] = []
    event.listen(
        database.engine, "before_cursor_execute", lambda c, cursor, said, given, *_: asked.append((said, given))
    )
    with database.read() as session:
        assert 3600 <= age(session) < 3600 + 600
        if database.engine.dialect.name == "sqlite":
            chosen = [(said, given) for said, given in asked if said.startswith("SELECT")]
            assert chosen
            for statement, values in chosen:
                plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
                steps = " ".join(str(row[-1]) for row in plan)
                assert "INDEX ix_" in steps and "TEMP B-TREE" not in steps and "SCAN" not in steps, steps


def test_a_job_that_was_asked_for_later_but_is_urgent_is_not_the_oldest(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        old = a_job(session, task, identity="old")
        old.created_at = now() - timedelta(hours=2)
        a_job(session, task, identity="urgent", priority=100)
    with sqlite_database.read() as session:
        assert lags.oldest_queued_job(session) >= 7200
        assert session.execute(text("SELECT count(*) FROM job")).scalar() == 2 == session.query(Job).count()
