"""How far is the work? Jobs by state, how fast they are done, what fails and why, and what did not get through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.orm import Session

from backend.db import jobs, reasons
from backend.db.clock import moment
from backend.db.reasons import Reason, by_reason
from backend.db.tables import Delivery, Event, Job, TaskState

SHOWN = 20
"""Rows per list; the page says how many there are in all."""


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
class Work:
    """The page.

    Attributes:
        counts: jobs by state; ``deliveries``, ``events``: by state too, those that got through left out.
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
        failed=by_reason(session, Job, of_jobs, Job.task_id, most=SHOWN),
        deliveries=_counts(session, Delivery, of_deliveries, (Delivery.WAITING, Delivery.HELD, Delivery.FAILED)),
        undelivered=by_reason(session, Delivery, of_deliveries, Delivery.task_id, most=SHOWN),
        events=_counts(session, Event, of_events, (Event.WAITING, Event.HELD, "unknown_project", Event.FAILED)),
        unread=by_reason(session, Event, of_events, most=SHOWN),
    )


def alike(session: Session, chosen: WorkFilter, job_id: int, *, most: int) -> tuple[list[int], bool]:
    """The failed jobs under the filter that failed for the same reason as this one; see ``reasons.alike``."""
    return reasons.alike(session, _of_jobs(chosen), job_id, most=most)


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


def _counts(
    session: Session, table: Any, where: Sequence[ColumnElement[bool]], states: Sequence[str]
) -> dict[str, int]:
    query = select(table.state, func.count()).where(table.state.in_(states), *where).group_by(table.state)
    return dict.fromkeys(states, 0) | dict(session.execute(query).tuples().all())


def _of_jobs(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    found = [] if chosen.model_version is None else [Job.model_version == chosen.model_version]
    if chosen.project_id is not None:
        found.append(exists().where(TaskState.task_id == Job.task_id, TaskState.project_id == chosen.project_id))
    return found


def _of_deliveries(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    """The model version of a decision's task is that of its suggestion."""
    mine = []
    if chosen.project_id is not None:
        mine.append(TaskState.project_id == chosen.project_id)
    if chosen.model_version is not None:
        mine.append(TaskState.model_version == chosen.model_version)
    return [exists().where(TaskState.task_id == Delivery.task_id, *mine)] if mine else []


def _of_events(chosen: WorkFilter) -> list[ColumnElement[bool]]:
    return [] if chosen.project_id is None else [Event.project_id == chosen.project_id]
