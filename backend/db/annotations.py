"""What did people say about a task, in which versions, and which one counts now?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, cast, func, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import task_state
from backend.db.choices import values_of
from backend.db.engine import insert_once
from backend.db.tables import Annotation, Task

_LOCK = 7_345_002  # any fixed number: the kind of lock, beside the annotation's own


def add_version(session: Session, *, digest: str, ls_annotation_id: int, **values: Any) -> bool:
    """Add a version unless it is here already (``digest``). Numbers count arrivals per annotation."""
    _one_at_a_time(session, ls_annotation_id)
    if session.scalar(select(Annotation.id).where(Annotation.digest == digest)) is not None:
        return False
    last = session.scalar(select(func.max(Annotation.version)).where(Annotation.ls_annotation_id == ls_annotation_id))
    number = {"ls_annotation_id": ls_annotation_id, "version": (last or 0) + 1}
    if not insert_once(session, Annotation, "digest", digest=digest, **number, **values):
        return False
    settle(session, ls_annotation_id)
    return True


def settle(session: Session, ls_annotation_id: int) -> None:
    """Note which version of an annotation counts now, and where its tasks stand by that.

    Events may come out of order, so it is the one that Label Studio saved last; a deletion is final, because Label
    Studio never gives a number twice.
    """
    columns = Annotation.id, Annotation.version, Annotation.task_id, Annotation.deleted, Annotation.current
    saved = Annotation.ls_updated_at, Annotation.received_at
    known = session.execute(select(*columns, *saved).where(Annotation.ls_annotation_id == ls_annotation_id)).all()
    newest = max(known, key=lambda row: (row.ls_updated_at or row.received_at, row.version))
    counts = None if any(row.deleted for row in known) else newest.id
    for row in known:
        if row.current != (row.id == counts):
            session.execute(update(Annotation).where(Annotation.id == row.id).values(current=row.id == counts))
    task_state.refresh(session, {row.task_id for row in known})


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

    ``task_ids`` are rows of our own tasks: only what was said of these. :func:`settle` says which versions count.
    """
    query = select(Annotation).options(joinedload(Annotation.task), joinedload(Annotation.prediction))
    query = query.where(Annotation.current.is_(True))
    if project_id is not None:
        query = query.join(Task).where(Task.project_id == project_id)
    if task_ids is not None:
        query = query.where(Annotation.task_id.in_(task_ids))
    return list(session.scalars(query.order_by(Annotation.ls_annotation_id)))


def current_after(session: Session, after: int, *, limit: int, project_id: int | None = None) -> Sequence[Annotation]:
    """The same a page at a time, by our row: those behind the row ``after``."""
    query = select(Annotation).options(joinedload(Annotation.task), joinedload(Annotation.prediction))
    query = query.where(Annotation.current.is_(True), Annotation.id > after)
    if project_id is not None:
        query = query.join(Task).where(Task.project_id == project_id)
    return session.scalars(query.order_by(Annotation.id).limit(limit)).all()


def present(session: Session, task_id: int) -> Annotation | None:
    """The version that stands for the whole task (its row): the newest that is no skip, else the newest skip."""
    state = task_state.of_task(session, task_id)
    return None if state is None or state.annotation_id is None else session.get(Annotation, state.annotation_id)


def authors(session: Session) -> list[int]:
    """Everybody who ever saved an annotation, by Label Studio's numbers."""
    return values_of(session, Annotation.author_id)


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
