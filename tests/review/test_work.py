"""How far the work is: counts, rates, what runs, what failed alike, and what may be tried again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.db import deliveries
from backend.db.engine import Database
from backend.db.reasons import kind_of
from backend.db.tables import Delivery, Event, Job
from backend.db.types import now
from backend.review import work
from backend.review.work import Rate, WorkFilter, alike, look
from tests.db.helpers import a_job, a_prediction, a_task, becomes

ALL = WorkFilter()


def job(session: Session, number: int, state: str, *, project: int = 1, **values: Any) -> Job:
    row = a_job(session, a_task(session, number, project=project), identity=f"{project}/{number}")
    becomes(session, row, state=state, **values)
    return row


@pytest.fixture
def busy(database: Database) -> Database:
    """Of project 1: 3 wait, 1 runs, 4 are done (2, 10, 50 and 70 minutes ago), 3 failed; of project 2: one of each."""
    at = now()
    with database.write() as session:
        for number in (1, 2, 3):
            job(session, number, "queued")
        job(
            session, 4, "running", leased_by="host:7#4.1.0.5", lease_until=at + timedelta(hours=1), stage="tracks",
            progress=0.25, started_at=at,
        )  # fmt: skip
        for number, ago in ((5, 2), (6, 10), (7, 50), (8, 70)):
            job(session, number, "done", finished_at=at - timedelta(minutes=ago))
        for number, reason in ((9, "a.mp4 has 3 frames"), (10, "No such video"), (11, "other.mov has 41 frames")):
            job(session, number, "failed", reason=reason, finished_at=at)
        job(session, 1, "queued", project=2, model_version="n")
        job(session, 2, "running", project=2, lease_until=at - timedelta(hours=1), model_version="n")
        job(session, 3, "done", project=2, finished_at=at, model_version="n")
        job(session, 4, "failed", project=2, reason=None, model_version="n")
    return database


def test_counts_rates_and_time_left(busy: Database) -> None:
    with busy.read() as session:
        found, one = look(session, ALL), look(session, WorkFilter(project_id=1))
        two, version = look(session, WorkFilter(project_id=2)), look(session, WorkFilter(model_version="n"))
        none = look(session, WorkFilter(project_id=1, model_version="n"))
    assert found.counts == {"queued": 4, "running": 2, "done": 5, "failed": 4, "cancelled": 0}
    assert list(found.by_version) == ["m", "n"] and found.by_version["n"]["done"] == 1
    assert found.rates == (Rate(5, 2), Rate(60, 4)) and found.left_s == pytest.approx(6 / 2 * 5 * 60)
    assert one.counts == {"queued": 3, "running": 1, "done": 4, "failed": 3, "cancelled": 0}
    assert one.rates == (Rate(5, 1), Rate(60, 3))
    assert two.counts == version.counts == {"queued": 1, "running": 1, "done": 1, "failed": 1, "cancelled": 0}
    assert none.counts["done"] == 0 and none.left_s is None and none.running == []


def test_the_hour_counts_where_nothing_was_done_now(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        job(session, 1, "queued")
        assert look(session, ALL).left_s is None, "nothing moves: nobody can say"
        job(session, 2, "done", finished_at=now() - timedelta(minutes=30))
        assert look(session, ALL).left_s == pytest.approx(3600)


def test_what_runs(busy: Database) -> None:
    with busy.read() as session:
        first, second = look(session, ALL).running
    assert (first.stage, first.progress, first.worker, first.silent) == ("tracks", 0.25, "host:7", False)
    assert second.silent and second.model_version == "n"


def test_failures_by_reason(busy: Database) -> None:
    with busy.read() as session:
        found = look(session, ALL).failed
    assert [(row.count, row.text) for row in found] == [
        (2, "other.mov has 41 frames"), (1, "No reason was noted."), (1, "No such video"),
    ]  # fmt: skip
    assert all(row.task_id is not None for row in found)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("job 12 took 3.5 s", "job 7 took 40 s", True),
        ("clips/a.mp4: it is empty", "b-2.webm: it is empty", True),
        ("GET http://a/x?1 said 404", "GET https://b/y said 500", True),
        ("No such video", "No such task", False),
        (None, "No reason was noted.", True),
        (None, "", True),
    ],
)
def test_numbers_and_names_make_no_other_reason(one: str | None, other: str | None, same: bool) -> None:
    assert (kind_of(one) == kind_of(other)) is same


def test_jobs_that_failed_alike(busy: Database) -> None:
    with busy.read() as session:
        reasons = {row.text: row for row in look(session, ALL).failed}
        newest = reasons["other.mov has 41 frames"].newest
        assert alike(session, ALL, newest, most=5) == ([newest - 2, newest], False)
        assert alike(session, ALL, newest, most=1) == ([newest - 2], True)
        assert alike(session, WorkFilter(project_id=2), newest, most=5) == ([], False)
        assert alike(session, ALL, 1, most=5) == alike(session, ALL, 999, most=5) == ([], False)


def test_what_did_not_get_through(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task, prediction = a_task(session, 1), a_prediction(session)
        deliveries.owe(session, prediction.id, task.id)
        session.query(Delivery).one().state = "failed"
        session.query(Delivery).one().reason = "Task 1 is gone"
        for number, state in enumerate(("new", "done", "failed", "failed", "unknown_project")):
            reason = "No annotation in it" if state == "failed" else None
            values = {"sha256": str(number), "action": "x", "project_id": 1, "body": b"", "state": state}
            session.add(Event(**values, reason=reason))
        session.flush()
        found, other = look(session, ALL), look(session, WorkFilter(project_id=2))
        of_version = look(session, WorkFilter(model_version="n"))
    assert found.deliveries == {"pending": 0, "sending": 0, "failed": 1}
    assert [(row.count, row.text, row.task_id) for row in found.undelivered] == [(1, "Task 1 is gone", task.id)]
    assert found.events == {"new": 1, "reading": 0, "unknown_project": 1, "failed": 2}
    assert [(row.count, row.text, row.task_id) for row in found.unread] == [(2, "No annotation in it", None)]
    assert other.undelivered == other.unread == [] and of_version.undelivered == []


def test_a_long_list_is_cut(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "SHOWN", 2)
    with sqlite_database.write() as session:
        for number, reason in enumerate(("why", "how", "when", "how"), 1):
            job(session, number, "failed", reason=reason)
        assert [row.text for row in look(session, ALL).failed] == ["how", "when"]
