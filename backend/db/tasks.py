"""Which video and which sentence does a Label Studio task hold?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import bindparam, case, null, select, update
from sqlalchemy.orm import Session

from backend.db import adopting, task_state
from backend.db.engine import chunks, expire, insert_missing
from backend.db.tables import Base, Task, Video
from backend.db.types import clean_json, now, plain

OTHERS = "others"
"""Of a task's truth: the names of records with the same video and sentence that have another true tube."""
_SAID = ("video_ref", "query", "data", "name", "truth")

_TASK, _VIDEO = (Base.metadata.tables[table.__tablename__] for table in (Task, Video))
_KNOWN = (
    select(*(_TASK.c[name] for name in ("id", "ls_task_id", "video_id", *_SAID)), _VIDEO.c.sha256)
    .select_from(_TASK.outerjoin(_VIDEO, _VIDEO.c.id == _TASK.c.video_id))
    .where(_TASK.c.project_id == bindparam("project"), _TASK.c.ls_task_id.in_(bindparam("numbers", expanding=True)))
)
_ROWS = select(_TASK.c.ls_task_id, _TASK.c.id).where(
    _TASK.c.project_id == bindparam("project"), _TASK.c.ls_task_id.in_(bindparam("numbers", expanding=True))
)


@dataclass(frozen=True)
class Given:
    """What a task says of itself. ``name`` and ``truth`` are those of a local project's; None leaves what is known."""

    ls_task_id: int
    video_ref: str
    query: str
    data: dict[str, Any]
    name: str | None = None
    truth: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        """As a database can hold it."""
        object.__setattr__(self, "video_ref", plain(self.video_ref))
        object.__setattr__(self, "query", plain(self.query))
        object.__setattr__(self, "data", clean_json(self.data))
        object.__setattr__(self, "name", None if self.name is None else plain(self.name))
        object.__setattr__(self, "truth", clean_json(self.truth))


@dataclass(frozen=True)
class Remembered:
    """A task's row, shortly.

    Attributes:
        video_id, video_sha256: of its content, where that is known.
        made: this call made the row.
    """

    id: int
    ls_task_id: int
    video_ref: str
    query: str
    data: dict[str, Any]
    video_id: int | None
    video_sha256: str | None
    name: str | None = None
    truth: dict[str, Any] | None = None
    made: bool = False

    def differs(self, other: Remembered) -> bool:
        """Does the task say anything else of itself there?"""
        return any(getattr(self, name) != getattr(other, name) for name in _SAID)

    def become(self, given: Given, *, made: bool) -> Remembered:
        """With what is said now; a changed address forgets the old video."""
        said: dict[str, Any] = {name: value for name in _SAID if (value := getattr(given, name)) is not None}
        if given.truth and self.truth and OTHERS in self.truth and given.truth == _alone(self.truth):
            said["truth"] = self.truth
        if given.video_ref != self.video_ref:
            said |= {"video_id": None, "video_sha256": None}
        return replace(self, **said, made=made)


def _alone(truth: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in truth.items() if name != OTHERS}


def remember_many(session: Session, project_id: int, entries: Iterable[Given]) -> dict[int, Remembered]:
    """The rows of many tasks of a project, created or brought up to date; by Label Studio's number.

    A task that was a local one is that row from then on (:mod:`backend.db.adopting`).

    Only what differs is written. Of a task that is named twice the last entry counts. All rows are inserted before any
    is changed, in the order of their numbers: two callers at once wait for each other and never in a circle.
    """
    given = {entry.ls_task_id: entry for entry in sorted(entries, key=lambda entry: entry.ls_task_id)}
    known = known_many(session, project_id, given)
    missing = [entry for number, entry in given.items() if number not in known]
    if adopted := adopting.adopt(session, project_id, [_there(entry) for entry in missing]):
        known |= known_many(session, project_id, adopted)
        missing = [entry for entry in missing if entry.ls_task_id not in adopted]
    made = _insert(session, project_id, missing)
    if missing:
        known |= known_many(session, project_id, [entry.ls_task_id for entry in missing])
    found = {number: known[number].become(entry, made=number in made) for number, entry in given.items()}
    _update(session, [row for row in found.values() if row.differs(known[row.ls_task_id])])
    return found


def _there(entry: Given) -> adopting.There | None:
    return adopting.there_of(entry.ls_task_id, entry.video_ref, entry.query, entry.data)


def known_many(session: Session, project_id: int, numbers: Iterable[int]) -> dict[int, Remembered]:
    """Those of these tasks (Label Studio's numbers) that are stored."""
    session.flush()
    found = {}
    for some in chunks(numbers):
        for row in session.execute(_KNOWN, {"project": project_id, "numbers": some}):
            found[row.ls_task_id] = Remembered(
                row.id, row.ls_task_id, row.video_ref, row.query, row.data, row.video_id, row.sha256,
                row.name, row.truth,
            )  # fmt: skip
    return found


def _insert(session: Session, project_id: int, entries: Sequence[Given]) -> set[int]:
    """Returns the numbers of those that nobody else inserted meanwhile."""
    made: set[int] = set()
    for some in chunks(entries):
        rows = [{"project_id": project_id, **{name: getattr(entry, name) for name in _SAID}} for entry in some]
        rows = [row | {"ls_task_id": entry.ls_task_id} for row, entry in zip(rows, some, strict=True)]
        back = insert_missing(session, Task, rows, Task.id, Task.ls_task_id, Task.created_at)
        task_state.begin(session, [(row.id, project_id, row.created_at) for row in back])
        made.update(row.ls_task_id for row in back)
    return made


def _update(session: Session, changed: Sequence[Remembered]) -> None:
    """Write these rows as they are here, in the given order. The old video is forgotten where the address differs."""
    if not changed:
        return
    named: dict[str, Any] = {name: bindparam(f"new_{name}") for name in _SAID}
    same = _TASK.c.video_ref == bindparam("new_video_ref")
    forgotten = {name: case((same, _TASK.c[name]), else_=null()) for name in ("video_id", "warning")}
    statement = update(_TASK).where(_TASK.c.id == bindparam("row")).values(**named, **forgotten, updated_at=now())
    rows = [{"row": row.id, **{f"new_{name}": getattr(row, name) for name in _SAID}} for row in changed]
    for some in chunks(rows):
        session.connection().execute(statement, some)
    expire(session, Task, {row.id for row in changed})


def remember(
    session: Session, *, project_id: int, ls_task_id: int, video_ref: str, query: str, data: dict[str, Any]
) -> Task:
    """The row of one task, created or brought up to date."""
    found = remember_many(session, project_id, [Given(ls_task_id, video_ref, query, data)])
    return session.get_one(Task, found[ls_task_id].id)


def find(session: Session, project_id: int, ls_task_id: int) -> Task | None:
    """A project's task by Label Studio's number, None where it is not known."""
    return session.scalar(select(Task).where(Task.project_id == project_id, Task.ls_task_id == ls_task_id))


def rows_of(session: Session, project_id: int, ls_task_ids: Collection[int]) -> dict[int, int]:
    """Our rows of these tasks, by Label Studio's numbers, without those that are not known."""
    found: dict[int, int] = {}
    for some in chunks(sorted(ls_task_ids)):
        found |= dict(session.execute(_ROWS, {"project": project_id, "numbers": some}).tuples().all())
    return found
