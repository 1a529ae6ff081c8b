"""Leases: one holder at a time, none for ever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

from sqlalchemy import func, select, update

from backend.db import deliveries, jobs, task_state
from backend.db.engine import Database
from backend.db.tables import Delivery, Job
from backend.db.types import now
from tests.db.helpers import a_job, a_prediction, a_task


def _expire(database: Database) -> None:
    with database.write() as session:
        session.execute(update(Job).values(lease_until=now() - timedelta(seconds=1)))


def _lease(database: Database, worker: str = "w", max_deaths: int = 5) -> Job | None:
    with database.write() as session:
        return jobs.lease(session, worker, seconds=60, max_deaths=max_deaths)


def test_simultaneous_questions_make_one_job(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
    callers, together = 8, Barrier(8)

    def ask(_: int) -> bool:
        together.wait()
        with database.write() as session:
            return jobs.enqueue(session, identity="same", task_id=task.id, video_ref="v", query="q", model_version="m")[
                1
            ]

    with ThreadPoolExecutor(callers) as pool:
        made = list(pool.map(ask, range(callers)))
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 1
    assert made.count(True) == 1


def test_simultaneous_workers_never_share_a_job(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        for number in range(6):
            a_job(session, task, identity=str(number))
    together = Barrier(8)

    def work(number: int) -> int | None:
        together.wait()
        job = _lease(database, f"w{number}")
        return None if job is None else job.id

    with ThreadPoolExecutor(8) as pool:
        taken = [number for number in pool.map(work, range(8)) if number is not None]
    while (job := _lease(database)) is not None:  # a caller may pass over a row that another holds for the moment
        taken.append(job.id)
    assert sorted(taken) == sorted(set(taken)) and len(taken) == 6


def test_urgent_first_then_oldest(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        first, second = a_job(session, task, identity="a"), a_job(session, task, identity="b")
        a_job(session, task, identity="b", priority=100)  # asked again by a person who waits
    assert [_lease(database).id, _lease(database).id] == [second.id, first.id]  # type: ignore[union-attr]
    assert _lease(database) is None


def test_a_question_that_a_person_waits_for_goes_before_what_dead_workers_left(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        left = [a_job(session, task, identity=f"left {number}").id for number in range(3)]
    assert [_lease(database, "dead").id for _ in left] == left  # type: ignore[union-attr]
    _expire(database)
    with database.write() as session:
        ordinary = a_job(session, task, identity="ordinary").id
        urgent = [a_job(session, task, identity=f"urgent {number}", priority=100).id for number in range(2)]
    taken = []
    for number in range(5):
        job = _lease(database, f"w{number}")
        assert job is not None
        taken.append(job.id)
    assert taken == [*urgent, *left], "and what is no more urgent waits behind what was left"
    assert _lease(database).id == ordinary  # type: ignore[union-attr]
    _expire(database)
    assert [_lease(database).id for _ in range(6)] == [*urgent, *left, ordinary]  # type: ignore[union-attr]


def test_what_was_left_is_taken_though_ordinary_questions_never_end(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        deadly = a_job(session, task, identity="deadly")
    for death in range(1, 4):
        job = _lease(database, max_deaths=3)
        assert job is not None and (job.id, job.deaths) == (deadly.id, death - 1)
        _expire(database)
        with database.write() as session:
            a_job(session, task, identity=f"new {death}")
            a_job(session, task, identity=f"urgent {death}", priority=100)
        urgent = _lease(database, max_deaths=3)
        assert urgent is not None and urgent.priority == 100
        with database.write() as session:
            assert jobs.finish(session, urgent.id, str(urgent.leased_by), None)
    after = _lease(database, max_deaths=3)
    assert after is not None and after.identity == "new 1"
    with database.read() as session:
        assert session.get_one(Job, deadly.id).state == "failed", "nor is it spared its end"


def test_an_expired_lease_goes_to_another_and_the_first_can_store_nothing(database: Database) -> None:
    with database.write() as session:
        a_job(session, a_task(session))
        prediction = a_prediction(session)
    slow = _lease(database, "slow")
    assert slow is not None and slow.leased_by is not None and _lease(database, "other") is None
    _expire(database)
    other = _lease(database, "other")
    assert (
        other is not None
        and other.id == slow.id
        and (other.attempts, other.deaths) == (1, 1)
        and other.leased_by is not None
    )
    with database.write() as session:
        assert not jobs.renew(session, slow.id, slow.leased_by, seconds=60, progress=0.5, stage="late")
        assert not jobs.finish(session, slow.id, slow.leased_by, prediction.id)
        assert not jobs.fail(session, slow.id, slow.leased_by, "late")
        assert jobs.finish(session, other.id, other.leased_by, prediction.id)
    with database.read() as session:
        assert session.get_one(Job, slow.id).state == "done"


def test_a_job_that_kills_its_worker_is_given_up_with_a_reason(database: Database) -> None:
    with database.write() as session:
        a_job(session, a_task(session))
    for _ in range(2):
        assert _lease(database, max_deaths=2) is not None
        _expire(database)
    assert _lease(database, max_deaths=2) is None
    with database.read() as session:
        job = session.scalars(select(Job)).one()
        assert job.state == "failed" and job.reason is not None and "2 workers in a row" in job.reason
        state = task_state.of_task(session, job.task_id)
        assert state is not None and state.state == "failed", "its task says so too"


def test_a_failed_job_waits_for_its_time_and_can_be_retried(database: Database) -> None:
    with database.write() as session:
        a_job(session, a_task(session))
    job = _lease(database)
    assert job is not None and job.leased_by is not None
    with database.write() as session:
        jobs.fail(session, job.id, job.leased_by, "no answer", retry_in=timedelta(hours=1))
    assert _lease(database) is None
    with database.write() as session:
        session.execute(update(Job).values(run_after=now()))
    again = _lease(database)
    assert again is not None and again.leased_by is not None
    with database.write() as session:
        jobs.fail(session, again.id, again.leased_by, "no such\x00 file")
        assert jobs.counts(session) == {"queued": 0, "running": 0, "done": 0, "failed": 1, "cancelled": 0}
        assert jobs.listing(session, state="failed")[0][0].reason == "no such file"
        assert jobs.retry(session, again.id) and not jobs.retry(session, again.id) and not jobs.retry(session, 999)
    third = _lease(database)
    assert third is not None and third.attempts == 1


def test_a_job_without_an_answer_does_not_reopen_the_telling_of_a_decision(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        job = a_job(session, task)
        deliveries.tell_decision(session, task.id, "rejected")
        session.execute(update(Delivery).values(state="failed", reason="the task is gone"))
        assert not jobs.retry(session, job.id)
        assert session.scalars(select(Delivery.state)).all() == ["failed"]


def test_deaths_at_different_stages_are_accidents(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        a_job(session, a_task(session))
    for stage in ("fetch", "look", "fetch", "look"):
        job = _lease(sqlite_database, max_deaths=2)
        assert job is not None and job.leased_by is not None
        with sqlite_database.write() as session:
            assert jobs.renew(session, job.id, job.leased_by, seconds=60, progress=0.1, stage=stage)
        _expire(sqlite_database)
    assert _lease(sqlite_database, max_deaths=2) is not None
