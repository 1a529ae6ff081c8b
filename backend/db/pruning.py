"""Which rows does nobody need any more? Removed in short transactions; annotations, predictions, decisions, diffs stay.

- The body of a webhook that was read, unless it is the one of an annotation version that counts: the interface that it
  was saved in is read from there. The row stays, so that the same body is known when it comes again.
- A job that is done, unless it stands for its task (its newest, or the one that made its present suggestion), or was
  asked for a box: what was found for one is shown by its job. What another model version said of the task is not
  compared any more then.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, or_, select, update

from backend.db import task_state
from backend.db.engine import Database
from backend.db.jobs import DONE
from backend.db.tables import Annotation, Event, Job, TaskState

PAGE = 500

_READ = ("done", "ignored")


def count_bodies(database: Database, before: datetime) -> int:
    """How many bodies of events that were read before a moment nobody needs."""
    return sum(len(page) for page in _bodies(database, before))


def drop_bodies(database: Database, before: datetime) -> int:
    """Empty them; returns how many."""
    dropped = 0
    for page in _bodies(database, before):
        with database.write() as session:
            mine = update(Event).where(Event.id.in_(page), Event.state.in_(_READ)).values(body=b"")
            dropped += len(session.scalars(mine.returning(Event.id)).all())
    return dropped


def count_jobs(database: Database, before: datetime) -> int:
    """How many jobs that were done before a moment nobody needs."""
    return sum(len(page) for page in _jobs(database, before))


def drop_jobs(database: Database, before: datetime) -> int:
    """Remove them; returns how many."""
    dropped = 0
    for page in _jobs(database, before):
        with database.write() as session:
            # The tasks first, as where a job ends.
            task_state.one_at_a_time(session, session.scalars(select(Job.task_id).where(Job.id.in_(page))))
            gone = delete(Job).where(Job.id.in_(page), *_ended(before)).returning(Job.task_id)
            tasks = session.scalars(gone, execution_options={"synchronize_session": False}).all()
            task_state.refresh(session, tasks)
        dropped += len(tasks)
    return dropped


def _bodies(database: Database, before: datetime) -> Iterator[list[int]]:
    with database.read() as session:
        counting = select(Annotation.event_id).where(Annotation.current.is_(True), Annotation.event_id.is_not(None))
        needed = set(session.scalars(counting))  # none that was read before the moment is added to these later
    old = Event.state.in_(_READ), Event.processed_at < before, func.length(Event.body) > 0
    last = 0
    while True:
        with database.read() as session:
            query = select(Event.id).where(Event.id > last, *old).order_by(Event.id).limit(PAGE)
            page = session.scalars(query).all()
        if not page:
            return
        yield [number for number in page if number not in needed]
        last = page[-1]


def _jobs(database: Database, before: datetime) -> Iterator[list[int]]:
    last = 0
    while True:
        with database.read() as session:
            query = select(Job.id).where(Job.id > last, *_ended(before)).order_by(Job.id).limit(PAGE)
            page = list(session.scalars(query))
        if not page:
            return
        yield page
        last = page[-1]


def _ended(before: datetime) -> tuple[ColumnElement[bool], ...]:
    stands = or_(TaskState.job_id == Job.id, TaskState.prediction_id == Job.prediction_id)
    needed = select(TaskState.task_id).where(TaskState.task_id == Job.task_id, stands).exists()
    stored = Job.prediction_id.is_not(None), Job.prompt.is_(None)
    return Job.state == DONE, Job.finished_at < before, *stored, ~needed
