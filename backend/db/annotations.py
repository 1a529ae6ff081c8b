"""What did people say about a task, in which versions, and which one counts now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, cast, func, select
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import insert_once
from backend.db.tables import Annotation, Task

_LOCK = 7_345_002  # any fixed number: the kind of lock, beside the annotation's own


def add_version(session: Session, *, digest: str, ls_annotation_id: int, **values: Any) -> bool:
    """Add a version unless it is here already (``digest``). Numbers count arrivals per annotation."""
    _one_at_a_time(session, ls_annotation_id)
    if session.scalar(select(Annotation.id).where(Annotation.digest == digest)) is not None:
        return False
    last = session.scalar(select(func.max(Annotation.version)).where(Annotation.ls_annotation_id == ls_annotation_id))
    return insert_once(
        session,
        Annotation,
        "digest",
        digest=digest,
        ls_annotation_id=ls_annotation_id,
        version=(last or 0) + 1,
        **values,
    )


def find(session: Session, digest: str) -> Annotation | None:
    """The version of this digest, with its task and its prediction."""
    query = select(Annotation).options(joinedload(Annotation.task), joinedload(Annotation.prediction))
    return session.scalar(query.where(Annotation.digest == digest))


def versions(session: Session, ls_annotation_id: int) -> Sequence[Annotation]:
    """All versions in order of arrival."""
    query = select(Annotation).where(Annotation.ls_annotation_id == ls_annotation_id).order_by(Annotation.version)
    return session.scalars(query).all()


def current(
    session: Session, *, project_id: int | None = None, task_ids: Sequence[int] | None = None
) -> list[Annotation]:
    """The version that counts of each annotation, by annotation; deleted annotations are left out.

    ``task_ids`` are rows of our own tasks: only what was said of these.

    Events may come out of order, so the latest is the one that Label Studio saved last; a deletion is final, because
    Label Studio never gives a number twice.
    """
    query = select(Annotation).options(joinedload(Annotation.task), joinedload(Annotation.prediction))
    if project_id is not None:
        query = query.join(Task).where(Task.project_id == project_id)
    if task_ids is not None:
        theirs = select(Annotation.ls_annotation_id).where(Annotation.task_id.in_(task_ids))
        query = query.where(Annotation.ls_annotation_id.in_(theirs))  # a deletion may not know its task
    latest: dict[int, Annotation] = {}
    gone = set()
    for row in session.scalars(query.order_by(Annotation.version)):
        if row.deleted:
            gone.add(row.ls_annotation_id)
        before = latest.get(row.ls_annotation_id)
        if before is None or moment(row) >= moment(before):
            latest[row.ls_annotation_id] = row
    return [row for number, row in sorted(latest.items()) if number not in gone]


def present(session: Session, task_id: int) -> Annotation | None:
    """The version that stands for the whole task (its row): the newest that is no skip, else the newest skip.

    ``backend.db.standing`` says the same in SQL.
    """
    rows = current(session, task_ids=[task_id])
    return max(rows, key=lambda row: (not row.was_cancelled, moment(row), row.id), default=None)


def authors(session: Session) -> list[int]:
    """Everybody who ever saved an annotation, by Label Studio's numbers."""
    query = select(Annotation.author_id).where(Annotation.author_id.is_not(None)).distinct()
    return sorted(number for number in session.scalars(query) if number is not None)


def saved_before(session: Session, ls_annotation_id: int, when: datetime | None) -> list[Annotation]:
    """The versions that Label Studio saved before a moment, newest first; without skips and readings again."""
    if when is None:
        return []
    rows = [
        row
        for row in versions(session, ls_annotation_id)
        if not (row.deleted or row.was_cancelled or row.reread_of) and moment(row) < when.timestamp()
    ]
    return sorted(rows, key=lambda row: (moment(row), row.version), reverse=True)


def last_known(session: Session, ls_annotation_id: int) -> Annotation | None:
    """The newest version to have arrived."""
    query = select(Annotation).where(Annotation.ls_annotation_id == ls_annotation_id)
    return session.scalars(query.order_by(Annotation.version.desc()).limit(1)).first()


def _one_at_a_time(session: Session, ls_annotation_id: int) -> None:
    """Until the transaction ends nobody else numbers a version of this annotation. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        number = ls_annotation_id % 2**31  # annotations that share a lock only wait for each other
        session.execute(select(func.pg_advisory_xact_lock(cast(_LOCK, Integer), cast(number, Integer))))


def moment(row: Annotation) -> float:
    """When Label Studio saved it, in seconds; when it arrived, where that is unknown."""
    return (row.ls_updated_at or row.received_at).timestamp()
