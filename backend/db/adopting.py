"""How does a local task become a task of Label Studio, whoever hears of it there first?

An imported task carries the key of the local task that it was. The command that imports it, a ``/predict``, a webhook
or a comparison may be the first to name its number. So the row moves with its jobs where a task of Label Studio is
stored for the first time, and never gets a second row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import deliveries, task_state
from backend.db.engine import chunks
from backend.db.identity import job_identity
from backend.db.local_keys import KEY, LocalKey, parse_key, token_of
from backend.db.questions import video_key
from backend.db.segments import as_segment
from backend.db.tables import Job, Project, Task, TaskState
from backend.db.types import clean_json, plain
from stvg_core import text


@dataclass(frozen=True)
class There:
    """A task of Label Studio that was a local one: its number there, what it says of itself, and its key."""

    number: int
    video_ref: str
    query: str
    data: dict[str, Any]
    key: LocalKey

    def objection(self, task: Task) -> str | None:
        """Why it is not the local task any more that its key names."""
        if text.key(self.query) != text.key(task.query):
            return f"it has another sentence in Label Studio (task {self.number}) by now"
        if not self.key.holds_for(self.video_ref):
            return f"it has another video in Label Studio (task {self.number}) by now"
        return None


def there_of(number: int, video_ref: str, query: str, data: Mapping[str, Any]) -> There | None:
    """None where the task carries no key."""
    key = parse_key(data.get(KEY))
    return None if key is None else There(number, plain(video_ref), query, clean_json(dict(data)), key)


def adopt(session: Session, project_id: int, found: Iterable[There | None]) -> dict[int, int]:
    """Move those local tasks whose sentence and video are still the same there; the others stay as they are.

    Returns:
        Our rows of the tasks that moved, by Label Studio's number.
    """
    wanted: dict[int, There] = {}
    for one in found:
        if one is not None and project_id > 0:
            wanted.setdefault(one.key.row, one)
    if not wanted:
        return {}
    mine = Task.id.in_(sorted(wanted)) & (Task.project_id < 0)
    local = session.scalars(select(Task).where(mine))
    return move(session, project_id, {one.id: wanted[one.id] for one in local if not wanted[one.id].objection(one)})


def move(session: Session, project_id: int, wanted: Mapping[int, There]) -> dict[int, int]:
    """Make these local tasks (our rows), as far as they are still local, the project's, with their jobs.

    What is suggested for them is owed to Label Studio, and so are decisions that it shows. Annotations and decisions
    stay with the row.

    Returns:
        Our rows of those that moved, by Label Studio's number. Not those whose number is another row's already.
    """
    moved: dict[int, int] = {}
    for rows in chunks(sorted(wanted)):
        moved |= _move(session, project_id, {row: wanted[row] for row in rows})
    return moved


def _move(session: Session, project_id: int, wanted: Mapping[int, There]) -> dict[int, int]:
    mine = Task.id.in_(sorted(wanted)) & (Task.project_id < 0)
    owners = sorted(set(session.scalars(select(Task.project_id).where(mine))), reverse=True)
    # Until the transaction ends nobody adds to the local projects what has just left them.
    session.execute(select(Project.id).where(Project.id.in_(owners)).order_by(Project.id.desc()).with_for_update())
    tokens = {owner: token_of(session.get_one(Project, owner)) for owner in owners}
    # Wholly locked from the beginning, since what identifies the rows changes. A worker that ends a job at this moment
    # waits here, and then finds the task where it is.
    query = select(Task).where(mine).order_by(Task.id).execution_options(populate_existing=True)
    local = [
        task
        for task in session.scalars(query.with_for_update())
        if tokens.get(task.project_id) == wanted[task.id].key.token
    ]
    numbers = [wanted[task.id].number for task in local]
    known = select(Task.ls_task_id).where(Task.project_id == project_id, Task.ls_task_id.in_(numbers))
    taken = set(session.scalars(known))
    local = [task for task in local if wanted[task.id].number not in taken]
    asked: dict[int, list[Job]] = {}
    jobs = select(Job).where(Job.task_id.in_([task.id for task in local])).order_by(Job.task_id, Job.identity)
    for job in session.scalars(jobs.execution_options(populate_existing=True).with_for_update()):
        asked.setdefault(job.task_id, []).append(job)
    for task in local:
        _become(task, wanted[task.id], project_id, asked.get(task.id, []))
    session.flush()
    found = {wanted[task.id].number: task.id for task in local}
    task_state.refresh(session, found.values())
    moved = TaskState.task_id.in_(sorted(found.values()))
    states = session.execute(select(TaskState.task_id, TaskState.prediction_id, TaskState.decision).where(moved))
    rows = states.tuples().all()
    deliveries.owe_many(session, [(prediction, row) for row, prediction, _ in rows if prediction is not None])
    for row, _, decision in rows:
        if decision in deliveries.SHOWN:
            deliveries.tell_decision(session, row, decision)
    return found


def _become(task: Task, there: There, project_id: int, asked: Iterable[Job]) -> None:
    old = task.video_ref
    task.project_id, task.ls_task_id = project_id, there.number
    task.video_ref, task.data = there.video_ref, there.data
    for job in asked:
        if job.video_ref == old:
            job.video_ref = there.video_ref
        job.video_key = video_key(project_id, job.video_ref)
        job.identity = job_identity(
            project_id, there.number, job.video_ref, job.query, job.model_version, job.prompt, as_segment(job.segment)
        )
