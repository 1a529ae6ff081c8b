"""Which video and which sentence does a Label Studio task hold?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import task_state
from backend.db.engine import insert_once
from backend.db.tables import Task
from backend.db.types import clean_json, plain

_MOST = 500
"""Values per statement: databases limit them."""


def remember(
    session: Session, *, project_id: int, ls_task_id: int, video_ref: str, query: str, data: dict[str, Any]
) -> Task:
    """The row of a task, created or brought up to date. A changed address forgets the old video."""
    video_ref, query, data = plain(video_ref), plain(query), clean_json(data)
    created = insert_once(
        session,
        Task,
        ["project_id", "ls_task_id"],
        project_id=project_id,
        ls_task_id=ls_task_id,
        video_ref=video_ref,
        query=query,
        data=data,
    )
    task = find(session, project_id, ls_task_id)
    assert task is not None
    if created:
        task_state.refresh(session, [task.id])
    if task.video_ref != video_ref:
        task.video_ref, task.video_id, task.warning = video_ref, None, None
    if task.query != query:
        task.query = query
    if task.data != data:
        task.data = data
    return task


def find(session: Session, project_id: int, ls_task_id: int) -> Task | None:
    return session.scalar(select(Task).where(Task.project_id == project_id, Task.ls_task_id == ls_task_id))


def rows_of(session: Session, project_id: int, ls_task_ids: Collection[int]) -> dict[int, int]:
    """Our rows of these tasks, by Label Studio's numbers, without those that are not known."""
    found: dict[int, int] = {}
    wanted = sorted(ls_task_ids)
    for first in range(0, len(wanted), _MOST):
        mine = Task.project_id == project_id, Task.ls_task_id.in_(wanted[first : first + _MOST])
        found |= dict(session.execute(select(Task.ls_task_id, Task.id).where(*mine)).tuples().all())
    return found
