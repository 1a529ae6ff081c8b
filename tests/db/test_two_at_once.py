"""Two transactions about one task at the same moment. PostgreSQL only: SQLite has one writer at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import pytest
from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db import deliveries, jobs, projects, reviews, task_state, tasks, work_lists
from backend.db.engine import Database
from backend.db.tables import Delivery, Job, Task
from backend.db.types import now
from backend.jobs.planning import planned
from backend.jobs.sharing import Line
from backend.jobs.worker import Worker
from backend.labelstudio.events import Event, parse_annotation
from backend.review import decisions
from backend.testing import FakeEngine
from tests.db.helpers import CONFIG, a_job, a_prediction, a_task

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)

_MOST_S = 60.0


@contextmanager
def beside(database: Database, work: Callable[[Session], object]) -> Iterator[None]:
    """Do ``work`` in a transaction of its own, which has to wait for the present one; it ends after the block."""
    failed: list[Exception] = []

    def run() -> None:
        try:
            with database.write() as session:
                work(session)
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    _until_one_waits(database, thread)
    try:
        yield
    finally:
        thread.join(_MOST_S)
    assert not thread.is_alive()
    assert not failed, failed


def _until_one_waits(database: Database, thread: threading.Thread) -> None:
    waits = text("SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                 "WHERE NOT granted AND datname = current_database()")  # fmt: skip
    mine = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    until = time.monotonic() + _MOST_S
    while thread.is_alive() and time.monotonic() < until:
        with database.engine.connect() as connection:
            if connection.scalar(waits) or connection.scalar(mine):
                return
        time.sleep(0.02)


def says(session: Session, task_id: int, number: int) -> None:
    versions.add_version(
        session, digest=f"{number:064}", ls_annotation_id=number, task_id=task_id, author_id=number,
        ls_updated_at=now(),
    )  # fmt: skip


def answered(session: Session, job: Job, prediction_id: int) -> None:
    """What a worker's last transaction does."""
    assert job.leased_by is not None
    assert jobs.finish(session, job.id, job.leased_by, prediction_id)
    session.get_one(Task, job.task_id).warning = "a warning"
    session.flush()
    deliveries.owe(session, prediction_id, job.task_id)
    deliveries.tell_again(session, job.task_id)


def test_labels_of_two_people_both_count(database: Database) -> None:
    with database.write() as session:
        task_id = a_task(session).id
    first = Session(database.engine)
    says(first, task_id, 1)
    with beside(database, lambda session: says(session, task_id, 2)):
        first.commit()
    first.close()
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None
        assert state.people == 2


def test_an_answer_does_not_hide_a_label(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task_id = task.id
        a_job(session, task)
        prediction_id = a_prediction(session).id
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None
    first = Session(database.engine)
    says(first, task_id, 1)
    with beside(database, lambda session: answered(session, job, prediction_id)):
        first.commit()
    first.close()
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None
        assert (state.state, state.prediction_id) == ("to review", prediction_id)


def test_a_decision_and_an_answer_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task_id = task.id
        a_job(session, task)
        prediction_id = a_prediction(session).id
        says(session, task_id, 1)
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None
    first = Session(database.engine)
    assert reviews.lock_task(first, task_id) is not None
    seen = decisions.subject(first, task_id)[0]
    assert seen is not None
    with beside(database, lambda session: answered(session, job, prediction_id)):
        decisions.decide(first, task_id, "accepted", reviewer="r", seen=seen.id)
        first.commit()
    first.close()
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None
        assert (state.state, state.prediction_id) == ("accepted", prediction_id)


def test_a_question_asked_again_and_its_answer_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task_id = task.id
        a_job(session, task, deliver=False)
        prediction_id = a_prediction(session).id
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None and job.leased_by is not None
        lease_name = job.leased_by
    first = Session(database.engine)
    task_state.one_at_a_time(first, [task_id])  # how the end of a job begins
    with beside(database, lambda session: a_job(session, session.get_one(Task, task_id), deliver=True)):
        assert jobs.finish(first, job.id, lease_name, prediction_id)
        first.commit()
    first.close()
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None
        assert (state.state, state.prediction_id) == ("suggested", prediction_id)


def test_leases_that_are_renewed_and_jobs_that_change_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    """A worker's line need not be in the order of the tasks: others about the same video come first."""
    with database.write() as session:
        asked = [a_task(session, number) for number in (1, 2, 3)]
        for task in asked:
            a_job(session, task, identity=f"i{task.ls_task_id}")
        numbers = [task.id for task in asked]
    with database.write() as session:
        held = [jobs.lease(session, "w", seconds=60) for _ in asked]
    worker = Worker(database, None, FakeEngine(), name="w")  # type: ignore[arg-type]
    worker._in_hand = [job for job in reversed(held) if job is not None]
    line = Line(database, worker._in_hand, seconds=60)
    back = {job.id: job.leased_by or "" for job in worker._in_hand}
    mine = select(Job).where(Job.task_id.in_(numbers)).order_by(Job.task_id).with_for_update()
    for work in (partial(worker._renew, line), lambda session: jobs.put_back_many(session, back)):
        with Session(database.engine) as first:
            first.scalars(mine.limit(1)).all()
            with beside(database, work):
                first.scalars(mine).all()
                first.commit()
    with database.read() as session:
        assert {job.state for job in session.scalars(select(Job))} == {"queued"}


def test_jobs_that_are_cancelled_and_an_answer_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task_id = task.id
        a_job(session, task)
        prediction_id = a_prediction(session).id
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None and job.leased_by is not None
        lease_name = job.leased_by
    with Session(database.engine) as first:
        task_state.one_at_a_time(first, [task_id])  # how the end of a job begins
        chosen = work_lists.Chosen(ids=(job.id,))
        with beside(database, lambda session: work_lists.cancel_jobs(database, chosen)):
            assert jobs.finish(first, job.id, lease_name, prediction_id)
            first.commit()
    with database.read() as session:
        assert session.get_one(Job, job.id).state == "done"


def test_labels_that_are_stored_and_an_answer_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        task_id = task.id
        a_job(session, task)
        prediction_id = a_prediction(session).id
    with database.write() as session:
        job = jobs.lease(session, "w", seconds=60)
        assert job is not None
    first = Session(database.engine)
    task_state.hold(first, [task_id])
    with beside(database, lambda session: answered(session, job, prediction_id)):
        says(first, task_id, 1)
        first.commit()
    first.close()
    with database.read() as session:
        state = task_state.of_task(session, task_id)
        assert state is not None
        assert (state.state, state.prediction_id) == ("to review", prediction_id)


def test_events_about_new_tasks_and_questions_about_them_do_not_wait_for_ever(
    database: Database,
) -> None:
    def given(number: int) -> tasks.Given:
        return tasks.Given(number, f"/data/upload/1/{number}.mp4", "the red box", {})

    def saved(number: int) -> Event:
        annotation = parse_annotation({"id": number, "task": number, "result": []})
        return Event("ANNOTATION_CREATED", 1, number, [annotation], task_data={number: {}}, label_config=CONFIG)

    with database.write() as session:
        projects.register(session, 1, CONFIG)
    with Session(database.engine) as first:
        tasks.remember_many(first, 1, [given(3)])
        with beside(database, lambda session: planned(database, [(None, saved(5)), (None, saved(3))])):
            tasks.remember_many(first, 1, [given(5)])
            first.commit()
    with database.read() as session:
        assert sorted(session.scalars(select(Task.ls_task_id))) == [3, 5]


def test_deliveries_that_are_tried_again_and_handed_out_do_not_wait_for_each_other_for_ever(database: Database) -> None:
    with database.write() as session:
        prediction, rows = a_prediction(session).id, [a_task(session, number).id for number in (1, 2)]
        for row in reversed(rows):
            deliveries.owe(session, prediction, row)
        session.execute(update(Delivery).values(state="failed"))
    with Session(database.engine) as first:
        assert deliveries.hand_out(first, prediction, rows[0], window_s=60)
        with beside(database, lambda session: work_lists.retry_deliveries(database, work_lists.Chosen())):
            assert deliveries.hand_out(first, prediction, rows[1], window_s=60)
            first.commit()
    with database.read() as session:
        assert set(session.scalars(select(Delivery.state))) == {"pending"}
