"""How does each annotation version differ from the prediction it came from, and which versions have no diff yet?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import insert_once
from backend.db.tables import Annotation, Diff, Task


def store(session: Session, annotation_id: int, **values: Any) -> bool:
    """The diff of a version's object (0, the task's own, by default); an existing one is kept as it is (False)."""
    columns = {"object": 0, **values, "annotation_id": annotation_id}
    return insert_once(session, Diff, ["annotation_id", "object"], **columns)


def find(session: Session, annotation_id: int) -> Diff | None:
    """The diff of an annotation version's own object, None where none was made."""
    return session.scalar(select(Diff).where(Diff.annotation_id == annotation_id, Diff.object == 0))


def further(session: Session, *, annotation_ids: Sequence[int] | None = None) -> dict[int, list[Diff]]:
    """The diffs of further objects, in their order, by the row of their annotation version."""
    query = select(Diff).where(Diff.object > 0).order_by(Diff.annotation_id, Diff.object)
    if annotation_ids is not None:
        query = query.where(Diff.annotation_id.in_(annotation_ids))
    found: dict[int, list[Diff]] = {}
    for row in session.scalars(query.options(joinedload(Diff.prediction))):
        found.setdefault(row.annotation_id, []).append(row)
    return found


def by_annotation(
    session: Session, *, project_id: int | None = None, task_ids: Sequence[int] | None = None
) -> dict[int, Diff]:
    """The diff of the task's own object by the row of its annotation version."""
    query = select(Diff).where(Diff.object == 0)
    if task_ids is not None:
        query = query.join(Annotation, Diff.annotation_id == Annotation.id).where(Annotation.task_id.in_(task_ids))
        return {row.annotation_id: row for row in session.scalars(query)}
    if project_id is not None:
        query = query.join(Annotation, Diff.annotation_id == Annotation.id).join(Task, Annotation.task_id == Task.id)
        query = query.where(Task.project_id == project_id)
    return {row.annotation_id: row for row in session.scalars(query)}


def of_annotations(session: Session, annotation_ids: Sequence[int]) -> dict[int, Diff]:
    """The diff of the task's own object, by the row of its annotation version."""
    query = select(Diff).where(Diff.annotation_id.in_(annotation_ids), Diff.object == 0)
    return {row.annotation_id: row for row in session.scalars(query)}


def without_diff(
    session: Session, *, project_id: int | None = None, after: int = 0, limit: int = 100
) -> Sequence[Annotation]:
    """Versions that have no diff, by row, from the one behind ``after``; with their task, interface and prediction."""
    query = (
        select(Annotation)
        .where(Annotation.id > after, ~exists().where(Diff.annotation_id == Annotation.id, Diff.object == 0))
        .options(joinedload(Annotation.task).joinedload(Task.project), joinedload(Annotation.prediction))
        .order_by(Annotation.id)
        .limit(limit)
    )
    if project_id is not None:
        query = query.join(Task, Annotation.task_id == Task.id).where(Task.project_id == project_id)
    return session.scalars(query).all()
