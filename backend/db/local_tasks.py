"""Which tasks has a local project? One for each video, part of it and sentence; numbered from 1 in the order in which
they came.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import tasks
from backend.db.engine import chunks
from backend.db.local_keys import KEY, token_of
from backend.db.segments import segment_of
from backend.db.tables import Project, Task
from backend.db.tasks import OTHERS
from backend.db.types import plain

Mark = bytes
"""A digest of a video's address, a sentence, and the part of the video that it is about."""


@dataclass(frozen=True)
class Wanted:
    """A task as its source has it.

    Attributes:
        query: normalised.
        truth: as in ``Task``.
        elsewhere: the video's address in Label Studio, once the task is there.
    """

    video_ref: str
    query: str
    data: dict[str, Any]
    name: str
    truth: dict[str, Any] | None = None
    elsewhere: str | None = None


@dataclass(frozen=True)
class Known:
    """A task (our row) and its number in its project, which is Label Studio's where it was published."""

    id: int
    number: int
    published: bool = False


def mark_of(video_ref: str, query: str, data: Mapping[str, Any]) -> Mark:
    """``data`` of the task, which may name a part of the video."""
    part = segment_of(data)
    said = f"{plain(video_ref)}\0{plain(query)}" + ("" if part is None else f"\0{part[0]} {part[1]}")
    return hashlib.sha256(said.encode()).digest()[:16]


@dataclass
class LocalTasks:
    """The tasks of one local project as far as this process knows them; others may add some meanwhile."""

    project_id: int
    _known: dict[Mark, Known] = field(default_factory=dict)
    _until: int = 0
    _begun: bool = False

    def add(self, session: Session, wanted: Sequence[Wanted]) -> tuple[list[Known], int]:
        """Each one's task, made where there is none, brought up to date where its data or its truth is another one.

        Tasks that went to Label Studio are found under their address there, and left as they are.

        Returns:
            The tasks in the order of ``wanted``, and how many of them are new.
        """
        # Nobody else numbers tasks until the transaction ends.
        session.execute(select(Project.id).where(Project.id == self.project_id).with_for_update())
        if not self._begun:
            self._learn_published(session)
        self._learn(session)
        self._notice_moved(session, [known for one in wanted if (known := self.find(one)) is not None])
        given: dict[int, tasks.Given] = {}
        numbered = 0
        for one in wanted:
            known = self.find(one)
            if known is None:
                numbered += 1
                known = Known(0, self._until + numbered)
                self._known[mark_of(one.video_ref, one.query, one.data)] = known
            if not known.published:
                given[known.number] = tasks.Given(known.number, one.video_ref, one.query, one.data, one.name, one.truth)
        rows = tasks.remember_many(session, self.project_id, given.values())
        self._until += numbered
        for number, row in rows.items():
            said = given[number]
            self._known[mark_of(said.video_ref, said.query, said.data)] = Known(row.id, number)
        found = [known for one in wanted if (known := self.find(one)) is not None]
        return found, sum(row.made for row in rows.values())

    def look(self, session: Session) -> None:
        """Learn what there is, for :meth:`find`; nothing is written."""
        self._learn_published(session)
        self._learn(session)

    def find(self, one: Wanted) -> Known | None:
        """The task, where there is one, as it was at the last look."""
        known = self._known.get(mark_of(one.video_ref, one.query, one.data))
        if known is None and one.elsewhere is not None:
            known = self._known.get(mark_of(one.elsewhere, one.query, one.data))
        return known

    def note_other_truths(self, session: Session, wanted: Sequence[Wanted]) -> None:
        """Keep which records have another true tube than the one that the task has (``Task``)."""
        names: dict[int, set[str]] = {}
        for one in wanted:
            if (known := self.find(one)) is not None:
                names.setdefault(known.id, set()).add(one.name)
        for some in chunks(sorted(names)):
            mine = select(Task).where(Task.id.in_(some), Task.truth.is_not(None)).order_by(Task.id)
            for task in session.scalars(mine.with_for_update(key_share=True)):
                truth = task.truth or {}
                others = sorted({*truth.get(OTHERS, ()), *map(plain, names[task.id])})
                if truth and others != truth.get(OTHERS):
                    task.truth = truth | {OTHERS: others}
        session.flush()

    def _learn(self, session: Session) -> None:
        """What was added since the last look."""
        mine = (Task.project_id == self.project_id) & (Task.ls_task_id > self._until)
        said = select(Task.id, Task.ls_task_id, Task.video_ref, Task.query, Task.data)
        columns = said.where(mine).order_by(Task.ls_task_id)
        for row in session.execute(columns, execution_options={"yield_per": 5000}):
            self._known[mark_of(row.video_ref, row.query, row.data)] = Known(row.id, row.ls_task_id)
            self._until = row.ls_task_id

    def _notice_moved(self, session: Session, known: Sequence[Known]) -> None:
        """Some may have gone to Label Studio since the last look."""
        here = [one.id for one in known if not one.published]
        left = select(Task.id, Task.ls_task_id).where(Task.id.in_(here), Task.project_id != self.project_id)
        moved = {row.id: Known(row.id, row.ls_task_id, published=True) for row in session.execute(left)}
        if moved:
            self._known = {mark: moved.get(one.id, one) for mark, one in self._known.items()}

    def _learn_published(self, session: Session) -> None:
        start = token_of(session.get_one(Project, self.project_id)) + "-"
        columns = select(Task.id, Task.ls_task_id, Task.video_ref, Task.query, Task.data)
        query = columns.where(Task.project_id > 0, Task.name.is_not(None))
        for row in session.execute(query, execution_options={"yield_per": 1000}):
            if str(row.data.get(KEY, "")).startswith(start):
                self._known[mark_of(row.video_ref, row.query, row.data)] = Known(row.id, row.ls_task_id, published=True)
        self._begun = True
