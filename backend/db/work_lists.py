"""Which work is there, why did it fail, and what is done with many rows of it at once?

Many rows are changed a page at a time, each page in a transaction of its own: nobody waits for a hundred thousand rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import deliveries, jobs, task_state
from backend.db import lease as leases
from backend.db.clock import moment
from backend.db.engine import Database
from backend.db.jobs import CANCELLED, FAILED, QUEUED, RUNNING
from backend.db.reasons import Reason, by_reason
from backend.db.tables import Delivery, Event, Job, Leased, Task
from backend.db.types import now

PAGE = 500
CANCELLED_BY_HAND = "Cancelled by hand."


@dataclass(frozen=True)
class Chosen:
    """Which rows are meant: those that fulfil all that is given.

    Attributes:
        reason: part of the reason, in any case of its letters.
    """

    ids: tuple[int, ...] = ()
    states: tuple[str, ...] = ()
    project_id: int | None = None
    model_version: str | None = None
    reason: str | None = None

    def of(self, table: type[Leased]) -> list[ColumnElement[bool]]:
        """The conditions, for jobs, deliveries or events (which have no model version)."""
        found: list[ColumnElement[bool]] = []
        if self.ids:
            found.append(table.id.in_(self.ids))
        if self.states:
            found.append(table.state.in_(self.states))
        if self.reason is not None:
            found.append(table.reason.icontains(self.reason, autoescape=True))
        if self.model_version is not None:
            found.append(Job.model_version == self.model_version)
        if self.project_id is not None and table is Event:
            found.append(Event.project_id == self.project_id)
        elif self.project_id is not None:
            of_task = Job.task_id if table is Job else Delivery.task_id
            found.append(of_task.in_(select(Task.id).where(Task.project_id == self.project_id)))
        return found


EVERYTHING = Chosen()


def list_jobs(session: Session, chosen: Chosen, *, limit: int) -> list[tuple[Job, Delivery | None]]:
    """With what is owed to Label Studio, newest first."""
    owed = and_(Delivery.task_id == Job.task_id, Delivery.prediction_id == Job.prediction_id)
    query = select(Job, Delivery).outerjoin(Delivery, owed).options(joinedload(Job.task)).where(*chosen.of(Job))
    return [(job, delivery) for job, delivery in session.execute(query.order_by(Job.id.desc()).limit(limit))]


def list_deliveries(session: Session, chosen: Chosen, *, limit: int) -> Sequence[Delivery]:
    """With their tasks, newest first."""
    query = select(Delivery).options(joinedload(Delivery.task)).where(*chosen.of(Delivery))
    return session.scalars(query.order_by(Delivery.id.desc()).limit(limit)).all()


def list_events(session: Session, chosen: Chosen, *, limit: int) -> Sequence[Any]:
    """Rows without the bodies, newest first."""
    columns = Event.id, Event.state, Event.action, Event.project_id, Event.attempts, Event.reason, Event.received_at
    return session.execute(select(*columns).where(*chosen.of(Event)).order_by(Event.id.desc()).limit(limit)).all()


def failures(session: Session, chosen: Chosen) -> list[Reason]:
    """Why jobs failed, the most frequent reason first."""
    return by_reason(session, Job, chosen.of(Job))


@dataclass(frozen=True)
class Version:
    """The jobs of one model version.

    Attributes:
        queued, held: how many wait, and how many a worker holds now.
        heard: when a worker of that version was last known to live; None for never.
    """

    name: str
    queued: int
    held: int
    heard: datetime | None


def versions(session: Session, chosen: Chosen = EVERYTHING) -> list[Version]:
    """Model versions for which such jobs wait, with whether anybody works for them, on these or on other jobs."""
    at = moment(session)
    waits = and_(Job.state == QUEUED, *replace(chosen, states=()).of(Job))
    held = and_(Job.state == RUNNING, Job.lease_until >= at)
    query = select(
        Job.model_version, func.count(case((waits, 1))), func.count(case((held, 1))),
        func.max(Job.finished_at).filter(Job.started_at.is_not(None)), func.max(Job.started_at),
    ).group_by(Job.model_version).having(func.count(case((waits, 1))) > 0)  # fmt: skip
    return [
        Version(name, queued, working, max((one for one in (ended, begun) if one is not None), default=None))
        for name, queued, working, ended, begun in session.execute(query)
    ]


def retry_jobs(database: Database, chosen: Chosen) -> int:
    """Queue failed (or, if asked for, cancelled) jobs again; returns how many."""
    states = tuple(state for state in chosen.states or (FAILED,) if state in (FAILED, CANCELLED))
    values = {"state": QUEUED, "finished_at": None, **leases.reopened()}
    return _change_jobs(database, replace(chosen, states=states), values)


def cancel_jobs(database: Database, chosen: Chosen) -> int:
    """End jobs that wait or are held; whoever works on one is told at its next report of progress."""
    states = tuple(state for state in chosen.states or (QUEUED, RUNNING) if state in (QUEUED, RUNNING))
    ended = {"leased_by": None, "lease_until": None, "run_after": None, "finished_at": now()}
    values = {"state": CANCELLED, "reason": CANCELLED_BY_HAND, **ended}
    return _change_jobs(database, replace(chosen, states=states), values)


def retry_deliveries(database: Database, chosen: Chosen) -> int:
    """Send again what Label Studio refused; returns how many."""
    return _reopen(database, Delivery, chosen, {})


def retry_events(database: Database, chosen: Chosen) -> int:
    """Read again the events that were set aside; returns how many."""
    return _reopen(database, Event, chosen, {"processed_at": None})


def _reopen(database: Database, table: type[Delivery] | type[Event], chosen: Chosen, values: dict[str, Any]) -> int:
    wanted = replace(chosen, states=(table.FAILED,)).of(table)
    again = {"state": table.WAITING, "lease_until": None, **leases.reopened(), **values}
    changed = 0
    for page in _pages(database, table, wanted):
        with database.write() as session:
            if table is Delivery:
                deliveries.in_order(session, page)
            mine = update(table).where(table.id.in_(page), *wanted)
            changed += len(session.scalars(mine.values(**again).returning(table.id)).all())
    return changed


def _change_jobs(database: Database, chosen: Chosen, values: dict[str, Any]) -> int:
    wanted = chosen.of(Job)
    changed = 0
    for page in _pages(database, Job, wanted):
        with database.write() as session:
            task_state.one_at_a_time(session, session.scalars(select(Job.task_id).where(Job.id.in_(page))))
            jobs.in_order(session, page)
            mine = update(Job).where(Job.id.in_(page), *wanted).values(**values).returning(Job.task_id)
            tasks = session.scalars(mine, execution_options={"synchronize_session": False}).all()
            task_state.refresh(session, tasks)
        changed += len(tasks)
    return changed


def _pages(database: Database, table: type[Leased], wanted: Sequence[ColumnElement[bool]]) -> Iterator[Sequence[int]]:
    last = 0
    while True:
        with database.read() as session:
            page = session.scalars(
                select(table.id).where(table.id > last, *wanted).order_by(table.id).limit(PAGE)
            ).all()
        if not page:
            return
        yield page
        last = page[-1]
