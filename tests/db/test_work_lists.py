"""Rows of work as people see them: listed, grouped by reason, retried and cancelled in pages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from backend.db import deliveries, events, jobs, task_state, work_lists
from backend.db.engine import Database
from backend.db.tables import Delivery, Event, Job, TaskState
from backend.db.work_lists import Chosen, Reason
from tests.db.helpers import a_job, a_prediction, a_task, becomes

REASONS = (
    "There is no file one.mp4.",
    "Internal error. The worker's log has the details under job 2.",
    "There is no file other/two.MOV.",
    None,
    "There is no file three.mp4.",
    "Internal error. The worker's log has the details under job 6.",
    "The source answered 503.",
    "The source answered 404.",
)


@pytest.fixture
def failed(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """Failed jobs with these reasons in project 1, one queued job in project 2; pages are short."""
    monkeypatch.setattr(work_lists, "PAGE", 3)
    with database.write() as session:
        for number, reason in enumerate(REASONS, 1):
            job = a_job(session, a_task(session, number), identity=str(number))
            becomes(session, job, state="failed", reason=reason)
        a_job(session, a_task(session, 99, project=2), identity="other")
    return database


def _states(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(select(Job.state).order_by(Job.id)))


def test_reasons_are_grouped_whatever_their_numbers_and_files(failed: Database) -> None:
    with failed.read() as session:
        found = work_lists.failures(session, Chosen())
        assert work_lists.failures(session, Chosen(project_id=2)) == []
    internal = "Internal error. The worker's log has the details under job "
    assert found == [
        Reason("There is no file three.mp4.", 3, 5, kind="There is no file ...."),
        Reason(f"{internal}6.", 2, 6, kind=f"{internal}N."),
        Reason("The source answered 404.", 1, 8, kind="The source answered 404."),
        Reason("The source answered 503.", 1, 7, kind="The source answered 503."),
        Reason("No reason was noted.", 1, 4, kind="No reason was noted."),
    ]


def test_failed_jobs_are_queued_again_page_by_page(failed: Database) -> None:
    began: list[object] = []
    event.listen(failed.engine, "commit", began.append)
    assert work_lists.retry_jobs(failed, Chosen()) == len(REASONS)
    assert len(began) == 3, "three pages, each in a transaction of its own"
    assert set(_states(failed)) == {"queued"} and work_lists.retry_jobs(failed, Chosen()) == 0
    with failed.read() as session:
        assert set(session.scalars(select(TaskState.state))) == {task_state.WAITING}
        assert set(session.scalars(select(Job.reason))) == {None}


@pytest.mark.parametrize(
    ("chosen", "count"),
    [
        (Chosen(reason="no FILE"), 3),
        (Chosen(reason="100%"), 0),
        (Chosen(project_id=2), 0),
        (Chosen(model_version="m"), 8),
        (Chosen(model_version="n"), 0),
        (Chosen(ids=(1, 2, 9)), 2),
    ],
)
def test_those_that_were_chosen_are_queued_again(failed: Database, chosen: Chosen, count: int) -> None:
    assert work_lists.retry_jobs(failed, chosen) == count == _states(failed).count("queued") - 1


def test_queued_and_held_jobs_are_cancelled_and_their_workers_told(database: Database) -> None:
    with database.write() as session:
        for number in (1, 2, 3):
            a_job(session, a_task(session, number), identity=str(number))
        held = jobs.lease(session, "w", seconds=60)
        assert held is not None and held.leased_by is not None
        prediction = a_prediction(session)
    assert work_lists.cancel_jobs(database, Chosen(states=("queued",))) == 2
    assert work_lists.cancel_jobs(database, Chosen()) == 1 and set(_states(database)) == {"cancelled"}
    with database.write() as session:
        assert not jobs.renew(session, held.id, held.leased_by, seconds=60, progress=0, stage="")
        assert not jobs.finish(session, held.id, held.leased_by, prediction.id)
        assert jobs.lease(session, "w", seconds=60) is None and jobs.retry(session, held.id)
    assert work_lists.retry_jobs(database, Chosen(states=("cancelled",))) == 2


def test_deliveries_and_events_that_failed_are_listed_and_tried_again(database: Database) -> None:
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        deliveries.owe(session, prediction.id, task.id)
        sent = deliveries.claim(session, "s", seconds=60)
        assert sent is not None and sent.leased_by is not None
        deliveries.give_up(session, sent.id, sent.leased_by, "Label Studio refused it.")
        for body in (b"1", b"2"):
            events.store(session, body, action="X", project_id=1)
        first, _ = events.take(session, "r", seconds=60, limit=2)
        events.close(session, first.id, first.leased_by or "", "failed", "It cannot be read.")
    failed = Chosen(states=("failed",))
    with database.read() as session:
        [delivery] = work_lists.list_deliveries(session, failed, limit=9)
        [row] = work_lists.list_events(session, failed, limit=9)
        assert (delivery.reason, delivery.task.ls_task_id) == ("Label Studio refused it.", 11)
        assert (row.id, row.reason, row.project_id) == (first.id, "It cannot be read.", 1)
        assert work_lists.list_events(session, Chosen(project_id=5), limit=9) == []
        assert len(work_lists.list_events(session, Chosen(project_id=1), limit=9)) == 2
    assert work_lists.retry_deliveries(database, Chosen(project_id=2)) == 0
    assert work_lists.retry_deliveries(database, Chosen(project_id=1)) == 1
    assert work_lists.retry_events(database, Chosen(reason="read")) == 1
    with database.read() as session:
        assert session.scalars(select(Delivery.state)).one() == "pending"
        assert list(session.scalars(select(Event.state).order_by(Event.id))) == ["new", "reading"]


def test_lists_are_the_newest_first_and_filtered(failed: Database) -> None:
    def listed(**chosen: Any) -> list[int]:
        with failed.read() as session:
            return [job.id for job, _ in work_lists.list_jobs(session, Chosen(**chosen), limit=3)]

    assert listed() == [9, 8, 7] and listed(project_id=1) == [8, 7, 6] and listed(states=("queued",)) == [9]
    assert listed(reason="no file") == [5, 3, 1]


def test_a_held_job_says_that_its_version_has_a_worker(failed: Database) -> None:
    with failed.write() as session:
        a_job(session, a_task(session, 100), identity="one more")
        held = jobs.lease(session, "w", seconds=60)
    with failed.read() as session:
        [one] = work_lists.versions(session)
        assert work_lists.versions(session, work_lists.Chosen(project_id=987)) == []
    assert held is not None and (one.queued, one.held) == (1, 1) and one.heard is not None
    with failed.write() as session:
        session.get_one(Job, held.id).lease_until -= timedelta(seconds=61)  # type: ignore[operator]
    with failed.read() as session:
        assert work_lists.versions(session)[0].held == 0
