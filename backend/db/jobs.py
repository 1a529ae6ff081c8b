"""Which job is next, who holds it, and how did it end? ``backend.db.lease`` says what a lease is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import lease as leases
from backend.db import task_state
from backend.db.clock import moment
from backend.db.engine import changed, chunks, expire
from backend.db.questions import Question as Question
from backend.db.questions import Queued as Queued
from backend.db.questions import enqueue as enqueue
from backend.db.questions import enqueue_many as enqueue_many
from backend.db.questions import known_many as known_many
from backend.db.tables import Delivery, Job, Task
from backend.db.types import now

QUEUED, RUNNING, DONE, FAILED, CANCELLED = "queued", "running", "done", "failed", "cancelled"
STATES = (QUEUED, RUNNING, DONE, FAILED, CANCELLED)
FOR_ALL = ""
"""The model version of a job that any worker can do."""


def lease(
    session: Session, worker: str, *, seconds: float, versions: Sequence[str] | None = None,
    project_id: int | None = None, max_deaths: int = leases.MAX_DEATHS,
) -> Job | None:  # fmt: skip
    """Take the most urgent job that is free, for ``seconds``; None when there is none.

    Args:
        versions: model versions that the worker can answer as, with :data:`FOR_ALL` for those of any; None takes all.
        project_id: only jobs of this project.
    """
    taken, given_up = leases.take(
        session, _next(versions, project_id), Job, worker, seconds=seconds, max_deaths=max_deaths, urgency=Job.priority
    )
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
    taken, _ = leases.take(session, query, Job, worker, seconds=seconds, limit=most, urgency=Job.priority)
    _begun(session, taken, Job.IN_LINE)
    return taken


def may_look_ahead(session: Session, versions: Sequence[str] | None = None, project_id: int | None = None) -> bool:
    """Is there a job for :func:`lease_ahead`? A look that takes no lock.

    There is none where the next one is for a worker that begins at once: somebody waits for it, a box is followed, or a
    dead worker left it; and none where it is about the last video that waits, as another worker may have nothing.
    """
    mine = _mine(versions, project_id)
    if leases.any_left(session, Job, *mine):
        return False
    due = leases.due(Job, moment(session))
    asked = select(Job.priority, Job.prompt.is_not(None), Job.video_key).where(due, *mine)
    first = session.execute(asked.order_by(Job.priority.desc(), Job.id).limit(1)).first()
    if first is None or first[0] > 0 or first[1]:
        return False
    others = select(Job.id).where(due, *mine, Job.video_key != first[2]).limit(1)
    return session.scalar(others) is not None


def lease_ahead(
    session: Session, worker: str, *, seconds: float, most: int, versions: Sequence[str] | None = None,
    project_id: int | None = None,
) -> list[Job]:  # fmt: skip
    """Jobs about the next video, for a worker that is still busy with another; all of them wait in line.

    Args:
        most: so many at most.
    """
    calm = Job.priority <= 0, Job.prompt.is_(None)
    query = _next(versions, project_id).where(*calm)
    taken = leases.take_due(session, query, Job, worker, seconds=seconds)
    if taken and taken[0].video_key and most > 1:
        same = (Job.video_key == taken[0].video_key) & (Job.model_version == taken[0].model_version)
        more = select(Job).where(same, *calm).order_by(Job.priority.desc(), Job.id)
        taken += leases.take_due(session, more, Job, worker, seconds=seconds, limit=most - 1)
    _begun(session, taken, Job.IN_LINE)
    return taken


def _begun(session: Session, taken: Sequence[Job], stage: str = "") -> None:
    at = moment(session)
    for job in taken:
        job.started_at, job.progress, job.stage = at, 0.0, stage
    session.flush()


def _next(versions: Sequence[str] | None, project_id: int | None) -> Select[Job]:
    return select(Job).where(*_mine(versions, project_id)).order_by(Job.priority.desc(), Job.id)


def _mine(versions: Sequence[str] | None, project_id: int | None) -> list[ColumnElement[bool]]:
    """Which jobs are a worker's: of these versions, of this project."""
    found: list[ColumnElement[bool]] = [] if versions is None else [Job.model_version.in_([*versions, FOR_ALL])]
    if project_id is not None:
        found.append(Job.task_id.in_(select(Task.id).where(Task.project_id == project_id)))
    return found


def waiting(session: Session, versions: Sequence[str] | None = None, project_id: int | None = None) -> bool:
    """Is there a job to lease? A look that takes no lock."""
    return leases.waiting(session, Job, *_mine(versions, project_id))


def more_urgent(
    session: Session, versions: Sequence[str] | None, priority: int, project_id: int | None = None
) -> bool:  # fmt: skip
    """Does a job wait that goes before those of this priority?"""
    return leases.waiting(session, Job, Job.priority > priority, *_mine(versions, project_id))


def became_more_urgent(session: Session, job_ids: Sequence[int], priority: int) -> bool:
    """Does any of these jobs, which are held, go before those of this priority by now?"""
    urgent = select(Job.id).where(Job.id.in_(job_ids), Job.state == RUNNING, Job.priority > priority)
    return bool(job_ids) and session.scalar(urgent.limit(1)) is not None


def renew(session: Session, job_id: int, lease_name: str, *, seconds: float, progress: float, stage: str) -> bool:
    """Prolong a lease and show the progress; False when it is no longer held."""
    return leases.renew(session, Job, job_id, lease_name, seconds=seconds, progress=progress, stage=stage[:64])


def finish(session: Session, job_id: int, lease_name: str, prediction_id: int | None) -> bool:
    """Mark a held job as done, with its prediction where it makes one; False when its lease is no longer held."""
    _task_first(session, job_id)
    values = {"prediction_id": prediction_id, "progress": 1.0, "stage": "", "reason": None, "finished_at": now()}
    held = leases.release(session, Job, job_id, lease_name, state=DONE, **values)
    return held and _told_state(session, job_id)


def fail(session: Session, job_id: int, lease_name: str, reason: str, *, retry_in: timedelta | None = None) -> bool:
    """End a held job with a reason, or put it back for ``retry_in``; False when its lease is no longer held."""
    if retry_in is not None:
        return leases.postpone(session, Job, job_id, lease_name, reason, seconds=retry_in.total_seconds())
    _task_first(session, job_id)
    held = leases.give_up(session, Job, job_id, lease_name, reason, finished_at=now())
    return held and _told_state(session, job_id)


def put_back(session: Session, job_id: int, lease_name: str) -> bool:
    """Return a held job unharmed, because its worker was asked to stop."""
    return leases.put_back(session, Job, job_id, lease_name)


def put_back_many(session: Session, held: Mapping[int, str]) -> None:
    """The same for several jobs, by the names of their leases."""
    in_order(session, held)
    for job_id, lease_name in held.items():
        put_back(session, job_id, lease_name)


def in_order(session: Session, job_ids: Iterable[int]) -> None:
    """Lock those of these jobs that are held, before several are changed without a lock on their tasks.

    All who lock several take one order: else two that meet would wait for each other, and one of them would fail.
    SQLite has one writer anyway.
    """
    numbers = sorted(set(job_ids))
    if len(numbers) > 1 and session.get_bind().dialect.name == "postgresql":
        mine = select(Job.id).where(Job.id.in_(numbers), Job.state == RUNNING).order_by(Job.task_id, Job.identity)
        session.execute(mine.with_for_update(key_share=True))


def retry(session: Session, job_id: int) -> bool:
    """Queue a failed or cancelled job again, and its failed deliveries; False when there is nothing to retry."""
    _task_first(session, job_id)
    job = session.get(Job, job_id, with_for_update=True)
    if job is None:
        return False
    reopened = False
    if job.prediction_id is not None:  # without one "equal" would mean the task's decisions, which have none either
        owed = Delivery.task_id == job.task_id, Delivery.prediction_id == job.prediction_id
        again = {"state": Delivery.WAITING, **leases.reopened()}
        reopened = changed(session, update(Delivery).where(*owed, Delivery.state == Delivery.FAILED).values(**again))
    if job.state not in (FAILED, CANCELLED):
        return reopened
    job.state, job.finished_at = QUEUED, None
    for name, value in leases.reopened().items():
        setattr(job, name, value)
    task_state.refresh(session, [job.task_id])
    return True


def retry_many(session: Session, job_ids: Sequence[int]) -> int:
    """Queue those of these jobs again that failed; returns how many did."""
    again: list[int] = []
    for some in chunks(sorted(job_ids)):
        task_state.one_at_a_time(session, session.scalars(select(Job.task_id).where(Job.id.in_(some))))
        failed = update(Job).where(Job.id.in_(some), Job.state == FAILED)
        statement = failed.values(state=QUEUED, finished_at=None, **leases.reopened()).returning(Job.task_id)
        again += session.scalars(statement, execution_options={"synchronize_session": False}).all()
        expire(session, Job, some)
    task_state.refresh(session, again)
    return len(again)


def ask_again_many(session: Session, job_ids: Sequence[int]) -> int:
    """Queue those of these jobs again that are done, as if they had no answer; returns how many were.

    What is known of their tasks' videos is forgotten: the answers were about other content.
    """
    again: list[int] = []
    for some in chunks(sorted(job_ids)):
        task_state.one_at_a_time(session, session.scalars(select(Job.task_id).where(Job.id.in_(some))))
        gone = {"prediction_id": None, "finished_at": None, "progress": 0.0, **leases.reopened()}
        done = update(Job).where(Job.id.in_(some), Job.state == DONE).values(state=QUEUED, **gone)
        again += session.scalars(done.returning(Job.task_id), execution_options={"synchronize_session": False}).all()
        expire(session, Job, some)
    for some in chunks(sorted(set(again))):
        session.execute(update(Task).where(Task.id.in_(some)).values(video_id=None, warning=None))
    task_state.refresh(session, again)
    return len(again)


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
    """The job of this identity, None where there is none."""
    return session.scalar(select(Job).where(Job.identity == identity))


def how_far(session: Session, job_id: int) -> tuple[str, int | None]:
    """The state of a job, and its prediction where it has one."""
    return session.execute(select(Job.state, Job.prediction_id).where(Job.id == job_id)).tuples().one()


def for_task(session: Session, project_id: int, ls_task_id: int) -> Sequence[Job]:
    """All jobs of a Label Studio task, oldest first."""
    of_task = and_(Task.project_id == project_id, Task.ls_task_id == ls_task_id)
    return session.scalars(select(Job).join(Task).where(of_task).order_by(Job.id)).all()


def _task_first(session: Session, job_id: int) -> None:
    """Lock the job's task before the job itself, as those do who ask a question about a task."""
    task_state.one_at_a_time(session, session.scalars(select(Job.task_id).where(Job.id == job_id)).all())


def _told_state(session: Session, job_id: int) -> bool:
    task_state.refresh(session, session.scalars(select(Job.task_id).where(Job.id == job_id)))
    return True
