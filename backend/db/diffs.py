"""How does each annotation version differ from the prediction it came from, and which versions have no diff yet?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import insert_once
from backend.db.tables import Annotation, Diff, Task


def store(session: Session, annotation_id: int, **values: Any) -> bool:
    """The diff of a version; an existing one is kept as it is (False)."""
    return insert_once(session, Diff, "annotation_id", annotation_id=annotation_id, **values)


def find(session: Session, annotation_id: int) -> Diff | None:
    return session.scalar(select(Diff).where(Diff.annotation_id == annotation_id))


def by_annotation(session: Session, *, project_id: int | None = None) -> dict[int, Diff]:
    """Every diff by the row of its annotation version."""
    query = select(Diff)
    if project_id is not None:
        query = query.join(Annotation, Diff.annotation_id == Annotation.id).join(Task, Annotation.task_id == Task.id)
        query = query.where(Task.project_id == project_id)
    return {row.annotation_id: row for row in session.scalars(query)}


def without_diff(
    session: Session, *, project_id: int | None = None, after: int = 0, limit: int = 100
) -> Sequence[Annotation]:
    """Versions that have no diff, by row, from the one behind ``after``; with their task, interface and prediction."""
    query = (
        select(Annotation)
        .where(Annotation.id > after, ~exists().where(Diff.annotation_id == Annotation.id))
        .options(joinedload(Annotation.task).joinedload(Task.project), joinedload(Annotation.prediction))
        .order_by(Annotation.id)
        .limit(limit)
    )
    if project_id is not None:
        query = query.join(Task, Annotation.task_id == Task.id).where(Task.project_id == project_id)
    return session.scalars(query).all()
