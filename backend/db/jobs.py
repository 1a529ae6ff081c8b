"""Which job is next, who holds it, and how did it end?

A lease is a name that is new for each attempt; only its holder can end the job. A worker that dies stops renewing, the
lease runs out, and the job is handed to the next worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import changed, insert_once
from backend.db.tables import Delivery, Job, Task
from backend.db.types import now, plain

STATES = ("queued", "running", "done", "failed")


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
    created = insert_once(
        session,
        Job,
        "identity",
        identity=identity,
        task_id=task_id,
        video_ref=plain(video_ref),
        query=plain(query),
        model_version=model_version,
        deliver=deliver,
        priority=priority,
        **({} if prompt is None else {"prompt": prompt}),
    )
    job = session.scalars(select(Job).where(Job.identity == identity)).one()
    if not created:
        job.priority = max(job.priority, priority)
        job.deliver = job.deliver or deliver
    return job, created


def lease(session: Session, worker: str, *, seconds: float, max_attempts: int) -> Job | None:
    """Take the most urgent job that is free, for ``seconds``; None when there is none.

    A job whose lease ran out ``max_attempts`` times is not tried again: something in it kills the worker.
    """
    while True:
        moment = now()
        query = select(Job).where(_free(moment)).order_by(Job.priority.desc(), Job.id).limit(1)
        job = session.scalars(query.with_for_update(skip_locked=True)).first()
        if job is None:
            return None
        if job.state == "running" and job.attempts >= max_attempts:
            _end(job, "failed")
            job.reason = (
                f"The worker stopped {job.attempts} times in the middle of this job, perhaps for lack of memory. "
                "See its log; then: stvg jobs retry " + str(job.id)
            )
            session.flush()
            continue
        job.attempts += 1
        job.state, job.reason = "running", None
        job.leased_by = f"{worker}#{job.id}.{job.attempts}.{int(moment.timestamp() * 1000)}"
        job.lease_until = moment + timedelta(seconds=seconds)
        job.started_at, job.progress, job.stage = moment, 0.0, ""
        session.flush()
        return job


def waiting(session: Session) -> bool:
    """Is there a job to lease? A look that takes no lock."""
    return session.scalar(select(Job.id).where(_free(now())).limit(1)) is not None


def renew(session: Session, job_id: int, lease_name: str, *, seconds: float, progress: float, stage: str) -> bool:
    """Prolong a lease and show the progress; False when it is no longer held."""
    until = now() + timedelta(seconds=seconds)
    held = _held(job_id, lease_name)
    return changed(session, update(Job).where(held).values(lease_until=until, progress=progress, stage=stage[:64]))


def finish(session: Session, job_id: int, lease_name: str, prediction_id: int | None) -> bool:
    """Mark a held job as done, with its prediction where it makes one; False when its lease is no longer held."""
    values = {"state": "done", "prediction_id": prediction_id, "progress": 1.0, "stage": "", "reason": None}
    return _release(session, job_id, lease_name, **values, finished_at=now())


def fail(session: Session, job_id: int, lease_name: str, reason: str, *, retry_at: datetime | None = None) -> bool:
    """End a held job with a reason, or put it back until ``retry_at``; False when its lease is no longer held."""
    if retry_at is not None:
        return _release(session, job_id, lease_name, state="queued", run_after=retry_at, reason=plain(reason))
    return _release(session, job_id, lease_name, state="failed", reason=plain(reason), finished_at=now())


def put_back(session: Session, job_id: int, lease_name: str) -> bool:
    """Return a held job unharmed, because its worker was asked to stop."""
    return _release(session, job_id, lease_name, state="queued", attempts=Job.attempts - 1)


def refuse(job: Job, reason: str) -> None:
    """A job that cannot even start fails at once, with its reason."""
    _end(job, "failed")
    job.reason = plain(reason)


def retry(session: Session, job_id: int) -> bool:
    """Queue a failed job again, and its failed deliveries; False when there is nothing to retry."""
    job = session.get(Job, job_id)
    if job is None:
        return False
    mine = and_(
        Delivery.task_id == job.task_id, Delivery.prediction_id == job.prediction_id, Delivery.state == "failed"
    )
    reopened = changed(session, update(Delivery).where(mine).values(state="pending", attempts=0, next_attempt_at=now()))
    if job.state != "failed":
        return reopened
    job.state, job.attempts, job.reason, job.run_after, job.finished_at = "queued", 0, None, now(), None
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


def _free(moment: datetime) -> ColumnElement[bool]:
    queued = and_(Job.state == "queued", Job.run_after <= moment)
    abandoned = and_(Job.state == "running", Job.lease_until < moment)
    return or_(queued, abandoned)


def _held(job_id: int, lease_name: str) -> ColumnElement[bool]:
    return and_(Job.id == job_id, Job.leased_by == lease_name, Job.state == "running")


def _release(session: Session, job_id: int, lease_name: str, **values: Any) -> bool:
    statement = update(Job).where(_held(job_id, lease_name)).values(leased_by=None, lease_until=None, **values)
    return changed(session, statement)


def _end(job: Job, state: str) -> None:
    job.state, job.leased_by, job.lease_until, job.finished_at = state, None, None, now()
