"""What did people say about a task, in which versions, and which one counts now?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Boolean, bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session, joinedload

from backend.db import task_state
from backend.db.choices import values_of
from backend.db.engine import chunks, expire
from backend.db.tables import Annotation, Base, Task
from backend.db.types import now

_LOCK = 7_345_002  # any fixed number: the kind of lock, beside the annotation's own
_TABLE = Base.metadata.tables[Annotation.__tablename__]
_EMPTY: dict[str, Any] = {column.name: None for column in _TABLE.columns if column.name != "id"} | {
    "current": False, "was_cancelled": False, "deleted": False, "tubes": [], "result": [], "reader": 0,
}  # fmt: skip
_INSERT = insert(_TABLE).returning(_TABLE.c.digest, _TABLE.c.id)
_CURRENT = (
    update(_TABLE)
    .where(_TABLE.c.id.in_(bindparam("numbers", expanding=True)))
    .values(current=bindparam("counts", type_=Boolean))
)


class Short(NamedTuple):
    """A version without what was drawn."""

    id: int
    ls_annotation_id: int
    version: int
    digest: str
    task_id: int | None
    prediction_id: int | None
    deleted: bool
    current: bool
    reader: int
    ls_updated_at: datetime | None
    received_at: datetime


_SHORT = (
    select(*(_TABLE.c[name] for name in Short._fields))
    .where(_TABLE.c.ls_annotation_id.in_(bindparam("numbers", expanding=True)))
    .order_by(_TABLE.c.ls_annotation_id, _TABLE.c.version)
)


def add_version(session: Session, *, digest: str, ls_annotation_id: int, **values: Any) -> bool:
    """Add a version unless it is here already (``digest``)."""
    return bool(add_versions(session, [{"digest": digest, "ls_annotation_id": ls_annotation_id, **values}]))


def add_versions(
    session: Session, rows: Sequence[Mapping[str, Any]], *, said: Mapping[int, Sequence[Short]] | None = None
) -> dict[str, int]:
    """Add versions, at most one per annotation, without those that are here already; their rows by digest.

    Numbers count arrivals per annotation. Which versions count, and where the tasks stand by them, is written too.

    Args:
        said: what :func:`short` gives of these annotations, read since the caller has called :func:`hold` for them.
    """
    numbers = [row["ls_annotation_id"] for row in rows]
    if said is None:
        hold(session, numbers)
        said = short(session, numbers)
    rows = [row for row in rows if not is_known(said[row["ls_annotation_id"]], row["digest"])]
    if not rows:
        return {}
    stored = [
        {**_EMPTY, "received_at": now(), **row, "version": _last(said[row["ls_annotation_id"]]) + 1} for row in rows
    ]
    about = {row["ls_annotation_id"]: said[row["ls_annotation_id"]] for row in stored}
    added = {row["ls_annotation_id"]: Short(0, *(row[name] for name in Short._fields[1:])) for row in stored}
    counts = {number: _counting([*mine, added[number]]) for number, mine in about.items()}
    _mark(session, about, counts)
    for row in stored:
        row["current"] = counts[row["ls_annotation_id"]] is added[row["ls_annotation_id"]]
    found = session.connection().execute(_INSERT, stored).tuples().all()
    tasks = {one.task_id for mine in about.values() for one in mine} | {one.task_id for one in added.values()}
    task_state.refresh(session, tasks)
    return dict(found)


def short(session: Session, ls_annotation_ids: Iterable[int]) -> dict[int, list[Short]]:
    """Of each of these annotations all versions in order of arrival."""
    session.flush()
    wanted = sorted(set(ls_annotation_ids))
    found: dict[int, list[Short]] = {number: [] for number in wanted}
    for some in chunks(wanted):
        for row in session.execute(_SHORT, {"numbers": some}):
            found[row.ls_annotation_id].append(Short(*row))
    return found


def is_known(said: Sequence[Short], digest: str) -> bool:
    """Is this saved state one of an annotation's versions already?"""
    return any(row.digest == digest for row in said)


def counting(said: Sequence[Any]) -> int | None:
    """Which of an annotation's versions counts (its row): the one that Label Studio saved last; none if it is deleted.

    Events may come out of order; a deletion is final, because Label Studio never gives a number twice.
    """
    found = _counting(said)
    return None if found is None else int(found.id)


def _counting(said: Sequence[Any]) -> Any | None:
    if not said or any(row.deleted for row in said):
        return None
    return max(said, key=lambda row: (row.ls_updated_at or row.received_at, row.version))


def _last(said: Sequence[Short]) -> int:
    return max((one.version for one in said), default=0)


def settle(session: Session, ls_annotation_id: int) -> None:
    """Note which version of an annotation counts now, and where its tasks stand by that."""
    said = short(session, [ls_annotation_id])
    _mark(session, said, {number: _counting(mine) for number, mine in said.items()})
    task_state.refresh(session, {row.task_id for mine in said.values() for row in mine})


def _mark(session: Session, said: Mapping[int, Sequence[Short]], counts: Mapping[int, Short | None]) -> None:
    """Write of stored versions which ones count; first those that do not any more: never two at once."""
    rows = [(row, row is counts[number]) for number, mine in said.items() for row in mine]
    for current in (False, True):
        changing = [row.id for row, now_counts in rows if now_counts == current and row.current != current]
        for some in chunks(changing):
            session.connection().execute(_CURRENT, {"numbers": some, "counts": current})
        expire(session, Annotation, changing)


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


def counted(session: Session, project_id: int) -> int:
    """How many annotations of a project count."""
    query = select(func.count()).select_from(Annotation).join(Task, Annotation.task_id == Task.id)
    return session.scalar(query.where(Task.project_id == project_id, Annotation.current.is_(True))) or 0


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
