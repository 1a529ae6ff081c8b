"""How far is the work? Jobs by state, how fast they are done, what fails and why, and what did not get through."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from backend.db import deliveries, events, jobs
from backend.db.clock import moment
from backend.db.tables import Delivery, Event, Job, TaskState

SHOWN = 20
"""Rows per list; the page says how many there are in all."""

_UNKNOWN = "No reason was noted."
_DIFFERS = re.compile(r"https?://\S+|\S+\.\w{2,4}\b|\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class WorkFilter:
    """Whose work. ``project_id`` is negative for a local project; webhooks have no model version."""

    project_id: int | None = None
    model_version: str | None = None


@dataclass(frozen=True)
class Rate:
    """Jobs done in the last ``minutes``."""

    minutes: int
    done: int

    @property
    def per_minute(self) -> float:
        return self.done / self.minutes


@dataclass(frozen=True)
class Running:
    """A job that a worker holds. ``silent``: nothing was heard of the worker for so long that another may take it."""

    job_id: int
    task_id: int
    query: str
    model_version: str
    stage: str
    progress: float
    started_at: datetime | None
    worker: str
    silent: bool


@dataclass(frozen=True)
class Reason:
    """What failed alike: ``newest`` is the row of the last one, ``text`` its reason."""

    text: str
    count: int
    newest: int
    task_id: int | None = None


@dataclass(frozen=True)
class Work:
    """The page.

    Attributes:
        counts, deliveries, events: rows by state.
        by_version: the same for the jobs of each model version.
        rates: over the last minutes, the shortest time first.
        left_s: seconds until everything is done at the present rate; None where nothing waits or nothing moves.
        running: at most :data:`SHOWN`.
        failed: jobs by reason, the most frequent first; ``undelivered`` and ``unread`` the same of deliveries, events.
    """

    counts: dict[str, int]
    by_version: dict[str, dict[str, int]]
    rates: tuple[Rate, ...]
    left_s: float | None
    running: list[Running]
    failed: list[Reason]
    deliveries: dict[str, int]
    undelivered: list[Reason]
    events: dict[str, int]
    unread: list[Reason]


def look(session: Session, chosen: WorkFilter) -> Work:
    """Everything of the page; each question by an index."""
    of_jobs = _of_jobs(chosen)
    by_version = _by_version(session, of_jobs)
    counts = {state: sum(found[state] for found in by_version.values()) for state in jobs.STATES}
    rates = tuple(_rate(session, minutes, of_jobs) for minutes in (5, 60))
    of_deliveries, of_events = _of_deliveries(chosen), _of_events(chosen)
    return Work(
        counts=counts,
        by_version=by_version,
        rates=rates,
        left_s=_left(counts[jobs.QUEUED] + counts[jobs.RUNNING], rates),
        running=_running(session, of_jobs),
        failed=_reasons(session, Job, of_jobs, Job.task_id),
        deliveries=_counts(session, Delivery, of_deliveries, deliveries.STATES),
        undelivered=_reasons(session, Delivery, of_deliveries, Delivery.task_id),
        events=_counts(session, Event, of_events, events.STATES),
        unread=_reasons(session, Event, of_events),
    )


def kind_of(reason: str | None) -> str:
    """The same for reasons that differ in numbers, addresses and names of files only."""
    return _DIFFERS.sub("…", reason or _UNKNOWN)


def alike(session: Session, chosen: WorkFilter, job_id: int, *, most: int) -> tuple[list[int], bool]:
    """The failed jobs under the filter that failed for the same reason as this one.

    Returns:
        Their rows (at most ``most``, the oldest first), and whether there are more.
    """
    asked = session.execute(select(Job.reason).where(Job.id == job_id, Job.state == jobs.FAILED)).one_or_none()
    if asked is None:
        return [], False
    kind, found = kind_of(asked.reason), []
    failed = select(Job.id, Job.reason).where(Job.state == jobs.FAILED, *_of_jobs(chosen)).order_by(Job.id)
    for row in session.execute(failed.execution_options(yield_per=1000)):
        if kind_of(row.reason) == kind:
            found.append(row.id)
            if len(found) > most:
                break
    return found[:most], len(found) > most


def _by_version(session: Session, where: Sequence[ColumnElement[bool]]) -> dict[str, dict[str, int]]:
    query = select(Job.model_version, Job.state, func.count()).where(*where).group_by(Job.state, Job.model_version)
    found: dict[str, dict[str, int]] = {}
    for version, state, count in session.execute(query):
        found.setdefault(version, dict.fromkeys(jobs.STATES, 0))[state] = count
    return dict(sorted(found.items()))


def _rate(session: Session, minutes: int, where: Sequence[ColumnElement[bool]]) -> Rate:
    since = moment(session) - timedelta(minutes=minutes)
    query = select(func.count()).select_from(Job).where(Job.finished_at >= since, Job.state == jobs.DONE, *where)
    return Rate(minutes, session.scalar(query) or 0)


def _left(waiting: int, rates: Sequence[Rate]) -> float | None:
    """By the shortest time in which anything was done: it is nearest to how it goes now."""
    moving = next((rate for rate in rates if rate.done), None)
    return None if moving is None or not waiting else 60 * waiting / moving.per_minute


def _running(session: Session, where: Sequence[ColumnElement[bool]]) -> list[Running]:
    at = moment(session)
    query = select(
        Job.id, Job.task_id, Job.query, Job.model_version, Job.stage, Job.progress, Job.started_at, Job.leased_by,
        Job.lease_until,
    ).where(Job.state == jobs.RUNNING, *where).order_by(Job.id)  # fmt: skip
    return [
        Running(
            job_id=row.id,
            task_id=row.task_id,
            query=row.query,
            model_version=row.model_version,
            stage=row.stage,
            progress=row.progress,
            started_at=row.started_at,
            worker=(row.leased_by or "").partition("#")[0],
            silent=row.lease_until is not None and row.lease_until < at,
        )
        for row in session.execute(query.limit(SHOWN))
    ]


def _reasons(session: Session, table: Any, where: Sequence[ColumnElement[bool]], task: Any = None) -> list[Reason]:
    """The most frequent first; the list is cut, so that a page of it can be read."""
    query = select(table.reason, func.count(), func.max(table.id)).where(table.state == table.FAILED, *where)
    groups: dict[str, Reason] = {}
    for text, count, newest in session.execute(query.group_by(table.reason)):
        kind = kind_of(text)
        before = groups.get(kind, Reason("", 0, 0))
        latest = (text or _UNKNOWN, newest) if newest > before.newest else (before.text, before.newest)
        groups[kind] = Reason(latest[0], before.count + count, latest[1])
    found = sorted(groups.values(), key=lambda one: (-one.count, -one.newest))[:SHOWN]
    if task is None:
        return found
    tasks = dict(session.execute(newest).tuples().all())
    return [Reason(one.text, one.count, one.newest, tasks.get(one.newest)) for one in found]


def _counts(
    session: Session, table: Any, where: Sequence[ColumnElement[bool]], states: Sequence[str]
) -> dict[str, int]:
    query = select(table.state, func.count()).where(*where).group_by(table.state)
    return dict.fromkeys(states, 0) | dict(session.execute(query).tuples().all())


def _of_jobs(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    found = [] if chosen.model_version is None else [Job.model_version == chosen.model_version]
    return found if chosen.project_id is None else [*found, Job.task_id.in_(_tasks(chosen.project_id))]


def _of_deliveries(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    found = [] if chosen.project_id is None else [Delivery.task_id.in_(_tasks(chosen.project_id))]
    if chosen.model_version is None:
        return found
    mine = select(TaskState.task_id).where(TaskState.model_version == chosen.model_version)
    return [*found, Delivery.task_id.in_(mine)]


def _of_events(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    return [] if chosen.project_id is None else [Event.project_id == chosen.project_id]


def _tasks(project_id: int) -> Any:
    return select(TaskState.task_id).where(TaskState.project_id == project_id)
