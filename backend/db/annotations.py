"""What did people say about a task, in which versions, and which one counts now?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, insert, select, text, update
from sqlalchemy.orm import Session, joinedload

from backend.db import task_state
from backend.db.choices import values_of
from backend.db.engine import CHUNK
from backend.db.tables import Annotation, Task
from backend.db.types import now

_LOCK = 7_345_002  # any fixed number: the kind of lock, beside the annotation's own
_EMPTY: dict[str, Any] = {
    column.name: None for column in Annotation.__table__.columns if column.name not in ("id", "current")
} | {"current": False, "was_cancelled": False, "deleted": False, "tubes": [], "result": [], "reader": 0}


def add_version(session: Session, *, digest: str, ls_annotation_id: int, **values: Any) -> bool:
    """Add a version unless it is here already (``digest``)."""
    return bool(add_versions(session, [{"digest": digest, "ls_annotation_id": ls_annotation_id, **values}]))


def add_versions(session: Session, rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Add versions, at most one per annotation, without those that are here already; their rows by digest.

    Numbers count arrivals per annotation. Where the tasks stand by them is written too.
    """
    hold(session, [row["ls_annotation_id"] for row in rows])
    before = known(session, [row["digest"] for row in rows])
    rows = [row for row in rows if row["digest"] not in before]
    if not rows:
        return {}
    said = short(session, [row["ls_annotation_id"] for row in rows])
    last = {number: max((one.version for one in mine), default=0) for number, mine in said.items()}
    stored = [{**_EMPTY, "received_at": now(), **row, "version": last[row["ls_annotation_id"]] + 1} for row in rows]
    found = session.execute(insert(Annotation).returning(Annotation.digest, Annotation.id), stored).tuples().all()
    _settle(session, last)
    return dict(found)


def known(session: Session, digests: Collection[str]) -> set[str]:
    """Which of these saved states are here already."""
    wanted, found = sorted(set(digests)), set()
    for first in range(0, len(wanted), CHUNK):
        found |= set(session.scalars(select(Annotation.digest).where(_any(Annotation.digest, wanted, first))))
    return found


def short(session: Session, ls_annotation_ids: Iterable[int]) -> dict[int, list[Any]]:
    """Of each of these annotations all versions in order of arrival, as rows without what was drawn."""
    columns = (
        Annotation.id, Annotation.ls_annotation_id, Annotation.version, Annotation.task_id, Annotation.prediction_id,
        Annotation.deleted, Annotation.current, Annotation.reader, Annotation.ls_updated_at, Annotation.received_at,
    )  # fmt: skip
    wanted = sorted(set(ls_annotation_ids))
    found: dict[int, list[Any]] = {number: [] for number in wanted}
    for first in range(0, len(wanted), CHUNK):
        query = select(*columns).where(_any(Annotation.ls_annotation_id, wanted, first))
        for row in session.execute(query.order_by(Annotation.ls_annotation_id, Annotation.version)):
            found[row.ls_annotation_id].append(row)
    return found


def counting(said: Sequence[Any]) -> int | None:
    """Which of an annotation's versions counts (its row): the one that Label Studio saved last; none if it is deleted.

    Events may come out of order; a deletion is final, because Label Studio never gives a number twice.
    """
    if not said or any(row.deleted for row in said):
        return None
    number: int = max(said, key=lambda row: (row.ls_updated_at or row.received_at, row.version)).id
    return number


def settle(session: Session, ls_annotation_id: int) -> None:
    """Note which version of an annotation counts now, and where its tasks stand by that."""
    _settle(session, [ls_annotation_id])


def _settle(session: Session, ls_annotation_ids: Iterable[int]) -> None:
    said = short(session, ls_annotation_ids)
    chosen = {counting(mine) for mine in said.values()}
    rows = [row for mine in said.values() for row in mine]
    for current in (False, True):  # never two at once
        numbers = [row.id for row in rows if row.current != current and (row.id in chosen) == current]
        for first in range(0, len(numbers), CHUNK):
            changing = update(Annotation).where(_any(Annotation.id, numbers, first))
            session.execute(changing.values(current=current))
    task_state.refresh(session, {row.task_id for row in rows})


def _any(column: Any, values: Sequence[Any], first: int) -> ColumnElement[bool]:
    """One of the values of one statement."""
    found: ColumnElement[bool] = column.in_(values[first : first + CHUNK])
    return found


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


def of_tasks(
    session: Session, project_id: int, ls_task_ids: Collection[int], *, above: int | None = None
) -> list[tuple[int, int]]:
    """The annotations that count, with their tasks, by Label Studio's numbers; of these tasks of a project.

    Args:
        above: of all tasks after this number instead, up to the last of ``ls_task_ids`` (of all where that is empty).
    """
    query = select(Annotation.ls_annotation_id, Task.ls_task_id).join(Task, Annotation.task_id == Task.id)
    query = query.where(Task.project_id == project_id, Annotation.current.is_(True))
    if above is None:
        query = query.where(Task.ls_task_id.in_(ls_task_ids))
    else:
        query = query.where(Task.ls_task_id > above)
        query = query.where(Task.ls_task_id <= max(ls_task_ids)) if ls_task_ids else query
    return [(number, task) for number, task in session.execute(query.order_by(Annotation.ls_annotation_id))]


def hold(session: Session, ls_annotation_ids: Iterable[int]) -> None:
    """Until the transaction ends nobody else numbers a version of these annotations. SQLite has one writer anyway."""
    # Annotations that share a lock only wait for each other. In a fixed order: nobody waits for each other.
    locks = sorted({number % 2**31 for number in ls_annotation_ids})
    if locks and session.get_bind().dialect.name == "postgresql":
        query = text("SELECT pg_advisory_xact_lock(:kind, mine) FROM unnest(cast(:locks AS int[])) AS mine")
        session.execute(query, {"kind": _LOCK, "locks": locks})


def moment(row: Annotation) -> float:
    """When Label Studio saved it, in seconds; when it arrived, where that is unknown."""
    return (row.ls_updated_at or row.received_at).timestamp()
