"""Which job is next, who holds it, and how did it end? ``backend.db.lease`` says what a lease is."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import lease as leases
from backend.db import task_state
from backend.db.clock import moment
from backend.db.engine import changed, insert_once
from backend.db.tables import Delivery, Job, Task
from backend.db.types import now, plain

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
STATES = (QUEUED, RUNNING, DONE, FAILED, CANCELLED)
FOR_ALL = ""
"""The model version of a job that any worker can do."""


def video_key(project_id: int, video_ref: str) -> str:
    """The same for all jobs about one video of a project."""
    return hashlib.sha256(f"{project_id} {plain(video_ref)}".encode()).hexdigest()


def enqueue(
    session: Session,
    *,
    identity: str,
    task_id: int,
    video_ref: str,
    query: str,
    model_version: str,
    deliver: bool = True,
    priority: int = 0,
    prompt: dict[str, Any] | None = None,
) -> tuple[Job, bool]:
    """The one job of this identity, and whether this call made it.

    An existing job becomes more urgent or owed to Label Studio as asked, never less.
    """
    project_id = session.scalars(select(Task.project_id).where(Task.id == task_id)).one()
    created = insert_once(
        session,
        Job,
        "identity",
        identity=identity,
        task_id=task_id,
        video_ref=plain(video_ref),
        video_key=video_key(project_id, video_ref),
        query=plain(query),
        model_version=model_version,
        deliver=deliver,
        priority=priority,
        **({} if prompt is None else {"prompt": prompt}),
    )
    # Locked, because a worker that ends the job at this moment reads whether its answer is to be delivered.
    job = session.scalars(select(Job).where(Job.identity == identity).with_for_update()).one()
    if not created:
        job.priority = max(job.priority, priority)
        became = deliver and not job.deliver
        job.deliver = job.deliver or deliver
        if became:
            task_state.refresh(session, [task_id])
    elif deliver:
        task_state.refresh(session, [task_id])
    return job, created


def lease(
    session: Session, worker: str, *, seconds: float, versions: Sequence[str] | None = None,
    max_deaths: int = leases.MAX_DEATHS,
) -> Job | None:  # fmt: skip
    """Take the most urgent job that is free, for ``seconds``; None when there is none.

    Args:
        versions: model versions that the worker can answer as, with :data:`FOR_ALL` for those of any; None takes all.
    """
    taken, given_up = leases.take(session, _next(versions), Job, worker, seconds=seconds, max_deaths=max_deaths)
    task_state.refresh(session, [job.task_id for job in given_up])
    _begun(session, taken)
    return taken[0] if taken else None


def lease_more(session: Session, worker: str, job: Job, *, seconds: float, most: int) -> list[Job]:
    """Further free jobs about the same video, for the same model version, which can share its decoding.

    None where one of them may have killed a worker: such a job is done alone, so that it takes no other along.
    """
    same = (Job.video_key == job.video_key) & (Job.model_version == job.model_version) & Job.prompt.is_(None)
    same &= (Job.deaths == 0) & or_(Job.state == QUEUED, Job.stage == Job.IN_LINE)
    if not job.video_key or job.deaths or job.prompt is not None or most < 1:
        return []
    query = select(Job).where(same, Job.id != job.id).order_by(Job.priority.desc(), Job.id)
    taken, _ = leases.take(session, query, Job, worker, seconds=seconds, limit=most)
    _begun(session, taken, Job.IN_LINE)
    return taken


def _begun(session: Session, taken: Sequence[Job], stage: str = "") -> None:
    at = moment(session)
    for job in taken:
        job.started_at, job.progress, job.stage = at, 0.0, stage
    session.flush()


def _next(versions: Sequence[str] | None) -> Select[Job]:
    query = select(Job).order_by(Job.priority.desc(), Job.id)
    return query if versions is None else query.where(Job.model_version.in_([*versions, FOR_ALL]))


def waiting(session: Session, versions: Sequence[str] | None = None) -> bool:
    """Is there a job to lease? A look that takes no lock."""
    mine = () if versions is None else (Job.model_version.in_([*versions, FOR_ALL]),)
    return leases.waiting(session, Job, *mine)


def more_urgent(session: Session, versions: Sequence[str] | None, priority: int) -> bool:
    """Does a job wait that goes before those of this priority?"""
    mine = () if versions is None else (Job.model_version.in_([*versions, FOR_ALL]),)
    return leases.waiting(session, Job, Job.priority > priority, *mine)


def renew(session: Session, job_id: int, lease_name: str, *, seconds: float, progress: float, stage: str) -> bool:
    """Prolong a lease and show the progress; False when it is no longer held."""
    return leases.renew(session, Job, job_id, lease_name, seconds=seconds, progress=progress, stage=stage[:64])


def finish(session: Session, job_id: int, lease_name: str, prediction_id: int | None) -> bool:
    """Mark a held job as done, with its prediction where it makes one; False when its lease is no longer held."""
    values = {"prediction_id": prediction_id, "progress": 1.0, "stage": "", "reason": None, "finished_at": now()}
    held = leases.release(session, Job, job_id, lease_name, state=DONE, **values)
    return held and _told_state(session, job_id)


def fail(session: Session, job_id: int, lease_name: str, reason: str, *, retry_in: timedelta | None = None) -> bool:
    """End a held job with a reason, or put it back for ``retry_in``; False when its lease is no longer held."""
    if retry_in is not None:
        return leases.postpone(session, Job, job_id, lease_name, reason, seconds=retry_in.total_seconds())
    held = leases.give_up(session, Job, job_id, lease_name, reason, finished_at=now())
    return held and _told_state(session, job_id)


def put_back(session: Session, job_id: int, lease_name: str) -> bool:
    """Return a held job unharmed, because its worker was asked to stop."""
    return leases.put_back(session, Job, job_id, lease_name)


def refuse(session: Session, job: Job, reason: str) -> None:
    """A job that cannot even start fails at once, with its reason."""
    job.state, job.leased_by, job.lease_until, job.finished_at = FAILED, None, None, now()
    job.reason = plain(reason)
    task_state.refresh(session, [job.task_id])


def retry(session: Session, job_id: int) -> bool:
    """Queue a failed or cancelled job again, and its failed deliveries; False when there is nothing to retry."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        return False
    mine = and_(
        Delivery.task_id == job.task_id, Delivery.prediction_id == job.prediction_id, Delivery.state == Delivery.FAILED
    )
    again = {"state": Delivery.WAITING, **leases.reopened()}
    reopened = changed(session, update(Delivery).where(mine).values(**again))
    if job.state not in (FAILED, CANCELLED):
        return reopened
    job.state, job.finished_at = QUEUED, None
    for name, value in leases.reopened().items():
        setattr(job, name, value)
    task_state.refresh(session, [job.task_id])
    return True


def listing(session: Session, *, state: str | None = None, limit: int = 100) -> Sequence[tuple[Job, Delivery | None]]:
    """The newest jobs with their deliveries, newest first."""
    owed = and_(Delivery.task_id == Job.task_id, Delivery.prediction_id == Job.prediction_id)
    query = select(Job, Delivery).outerjoin(Delivery, owed).options(joinedload(Job.task)).order_by(Job.id.desc())
    if state is not None:
        query = query.where(Job.state == state)
    return [(job, delivery) for job, delivery in session.execute(query.limit(limit))]


def counts(session: Session) -> dict[str, int]:
    """Jobs per state."""
    found = dict(session.execute(select(Job.state, func.count()).group_by(Job.state)).tuples().all())
    return {state: found.get(state, 0) for state in STATES}


def find(session: Session, identity: str) -> Job | None:
    return session.scalar(select(Job).where(Job.identity == identity))


def for_task(session: Session, project_id: int, ls_task_id: int) -> Sequence[Job]:
    """All jobs of a Label Studio task, oldest first."""
    of_task = and_(Task.project_id == project_id, Task.ls_task_id == ls_task_id)
    return session.scalars(select(Job).join(Task).where(of_task).order_by(Job.id)).all()


def _told_state(session: Session, job_id: int) -> bool:
    task_state.refresh(session, session.scalars(select(Job.task_id).where(Job.id == job_id)))
    return True
