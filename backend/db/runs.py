"""How far is the grounding of one project's sentences? Questions of the jobs of one model version."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from backend.db.jobs import QUEUED, RUNNING
from backend.db.tables import Job, Prediction, Task, TaskState

_PAGE = 2000
_SENTENCES = 50
"""For each video that is counted, so many are looked at first."""


@dataclass(frozen=True)
class Ended:
    """One sentence of a project, with the state of its job and, where it failed, why."""

    job_id: int
    task_id: int
    state: str
    reason: str | None
    video_ref: str
    query: str


def _of_run(project_id: int, version: str | None) -> ColumnElement[bool]:
    """The sentences of the tasks themselves: no question that an annotator asked, no box that was drawn."""
    own = and_(Job.deliver.is_(True), Job.prompt.is_(None), Task.project_id == project_id)
    return and_(own, true() if version is None else Job.model_version == version)


def counts(session: Session, project_id: int, version: str) -> dict[str, int]:
    """Jobs by state."""
    query = select(Job.state, func.count()).join(Task).where(_of_run(project_id, version)).group_by(Job.state)
    return dict(session.execute(query).tuples().all())


def unfinished(session: Session, project_id: int, versions: Sequence[str] | None = None) -> bool:
    """Is a job of the project queued (now or for later), or in somebody's hands?"""
    query = select(Job.id).join(Task).where(Task.project_id == project_id, Job.state.in_((QUEUED, RUNNING)))
    if versions is not None:
        query = query.where(Job.model_version.in_(versions))
    return session.scalar(query.limit(1)) is not None


def videos_open(session: Session, project_id: int, version: str, *, most: int) -> int:
    """Videos with sentences that are queued or in somebody's hands, counted no further than ``most``."""
    left = select(Job.video_ref).join(Task).where(_of_run(project_id, version), Job.state.in_((QUEUED, RUNNING)))
    for rows in (left.limit(most * _SENTENCES), left):  # a part of a long queue says enough, almost always
        some = rows.subquery()
        videos, read = session.execute(
            select(func.count(some.c.video_ref.distinct()), func.count()).select_from(some)
        ).one()
        if videos >= most or read < most * _SENTENCES:
            break
    return min(int(videos), most)


def at_work(session: Session, project_id: int) -> set[str]:
    """The names of the workers that hold jobs of the project."""
    held = select(Job.leased_by).join(Task).where(Task.project_id == project_id, Job.state == RUNNING)
    return {name.rpartition("#")[0] for name in session.scalars(held) if name}


def videos_waiting(session: Session, project_id: int, version: str, *, most: int) -> Sequence[str]:
    """The addresses of some videos that sentences wait for."""
    query = select(Job.video_ref).join(Task).where(_of_run(project_id, version), Job.state == QUEUED)
    return session.scalars(query.distinct().limit(most)).all()


def all_of(session: Session, project_id: int, version: str, *, state: str | None = None) -> Iterator[Ended]:
    """Every sentence, in the order in which they were queued."""
    query = select(Job.id, Job.task_id, Job.state, Job.reason, Job.video_ref, Job.query).join(Task)
    query = query.where(_of_run(project_id, version)).order_by(Job.id)
    if state is not None:
        query = query.where(Job.state == state)
    for row in session.execute(query, execution_options={"yield_per": _PAGE}):
        yield Ended(*row)


def rows_by_number(session: Session, project_id: int) -> dict[int, int]:
    """Our rows of a project's tasks, by their numbers in the project."""
    query = select(Task.ls_task_id, Task.id).where(Task.project_id == project_id)
    return dict(session.execute(query).tuples().all())


def tasks_of(session: Session, project_id: int) -> set[int]:
    """Our rows of a project's tasks."""
    return set(session.scalars(select(Task.id).where(Task.project_id == project_id)))


def of_other_versions(session: Session, project_id: int, version: str) -> Iterator[int]:
    """Tasks (our rows) whose suggestion is that of another model version."""
    mine = (TaskState.project_id == project_id) & (TaskState.model_version != version)
    yield from session.scalars(select(TaskState.task_id).where(mine), execution_options={"yield_per": _PAGE})


def seconds_each(session: Session, version: str, *, newest: int = 200) -> float | None:
    """How long one sentence took with this model, on the average of the newest; None where there is none yet."""
    query = select(Prediction.timings).where(Prediction.model_version == version).order_by(Prediction.id.desc())
    found = [_total(timings) for timings in session.scalars(query.limit(newest))]
    known = [seconds for seconds in found if seconds is not None]
    return sum(known) / len(known) if known else None


def _total(timings: dict[str, object]) -> float | None:
    total = timings.get("total")
    if isinstance(total, (int, float)):
        return float(total)
    parts = [value for value in timings.values() if isinstance(value, (int, float))]
    return float(sum(parts)) if parts else None
