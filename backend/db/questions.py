"""Which questions wait for an answer? Each has one job, however often and by however many it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from backend.db import deliveries, task_state
from backend.db.engine import chunks, expire, insert_missing
from backend.db.segments import Segment
from backend.db.tables import Base, Job, Task
from backend.db.types import now, plain


def video_key(project_id: int, video_ref: str) -> str:
    """The same for all jobs about one video of a project."""
    return hashlib.sha256(f"{project_id} {plain(video_ref)}".encode()).hexdigest()


@dataclass(frozen=True)
class Question:
    """One sentence to ground for one task (our row), as :class:`Job` keeps it.

    Attributes:
        refused: why it cannot even start; a job that is made for it has failed for that.
    """

    identity: str
    task_id: int
    project_id: int
    video_ref: str
    query: str
    model_version: str
    deliver: bool = True
    priority: int = 0
    prompt: dict[str, Any] | None = None
    segment: Segment | None = None
    refused: str | None = None

    def with_more(self, other: Question) -> Question:
        """As urgent and as owed as the more demanding of the two."""
        return replace(self, deliver=self.deliver or other.deliver, priority=max(self.priority, other.priority))

    def columns(self) -> dict[str, Any]:
        """Of a new row."""
        return {
            "identity": self.identity,
            "task_id": self.task_id,
            "video_ref": plain(self.video_ref),
            "video_key": video_key(self.project_id, self.video_ref),
            "query": plain(self.query),
            "model_version": self.model_version,
            "deliver": self.deliver,
            "priority": self.priority,
            "prompt": self.prompt,
            "segment": None if self.segment is None else list(self.segment),
            "state": self.first_state,
            "reason": None if self.refused is None else plain(self.refused),
            "finished_at": None if self.refused is None else now(),
        }

    @property
    def first_state(self) -> str:
        """Of a new row."""
        return Job.WAITING if self.refused is None else Job.FAILED


@dataclass(frozen=True)
class Queued:
    """A job's row, shortly. ``made``: this call made it."""

    id: int
    identity: str
    task_id: int
    state: str
    prediction_id: int | None
    deliver: bool
    priority: int
    made: bool = False

    def lacks(self, asked: Question) -> bool:
        """Is it less urgent, or less owed, than asked?"""
        return asked.priority > self.priority or (asked.deliver and not self.deliver)


def enqueue_many(session: Session, entries: Iterable[Question]) -> dict[str, Queued]:
    """The jobs of these identities, made where there are none; by identity.

    An existing job becomes more urgent or owed to Label Studio as asked, never less. All rows are inserted before any
    is changed, in the order of their tasks: two callers at once wait for each other and never in a circle.
    """
    asked: dict[str, Question] = {}
    for entry in entries:
        asked[entry.identity] = entry.with_more(asked.get(entry.identity, entry))
    wanted = sorted(asked.values(), key=lambda entry: (entry.task_id, entry.identity))
    session.flush()
    found = known_many(session, asked)
    made = _insert(session, [entry for entry in wanted if entry.identity not in found])
    found |= made
    # Locked, because a worker that ends a job at this moment reads whether its answer is to be delivered. What another
    # caller inserted meanwhile may not be owed either.
    short = [entry for entry in wanted if entry.identity not in found or found[entry.identity].lacks(entry)]
    task_state.one_at_a_time(session, [entry.task_id for entry in short])  # before the jobs, as where a job ends
    locked = known_many(session, [entry.identity for entry in short], lock=True)
    found |= _raise(session, [(locked[entry.identity], entry) for entry in short])
    became = [row.task_id for row in locked.values() if not row.deliver and found[row.identity].deliver]
    task_state.refresh(session, [*became, *(row.task_id for row in made.values() if row.deliver)])
    deliveries.tell_again(session, *became)  # its answer is the task's suggestion now
    return found


_TABLE = Base.metadata.tables[Job.__tablename__]
_KNOWN = (
    select(*(_TABLE.c[one.name] for one in fields(Queued) if one.name != "made"))
    .where(_TABLE.c.identity.in_(bindparam("identities", expanding=True)))
    .order_by(_TABLE.c.task_id, _TABLE.c.identity)
)
_LOCKED = _KNOWN.with_for_update(key_share=True)  # keys stay free: others may refer to these rows meanwhile


def known_many(session: Session, identities: Iterable[str], *, lock: bool = False) -> dict[str, Queued]:
    """Those of these jobs that there are; ``lock`` holds them as they are until the transaction ends."""
    session.flush()
    found: dict[str, Queued] = {}
    for some in chunks(identities):
        rows = session.execute(_LOCKED if lock else _KNOWN, {"identities": some})
        found |= {row.identity: Queued(*row) for row in rows}
    return found


def _insert(session: Session, entries: Sequence[Question]) -> dict[str, Queued]:
    """Returns those that nobody else inserted meanwhile."""
    found: dict[str, Queued] = {}
    for some in chunks(entries):
        asked = {entry.identity: entry for entry in some}
        rows = [entry.columns() for entry in some]
        for row in insert_missing(session, Job, rows, Job.id, Job.identity):
            one = asked[row.identity]
            found[one.identity] = Queued(
                row.id, one.identity, one.task_id, one.first_state, None, one.deliver, one.priority, made=True
            )
    return found


def _raise(session: Session, pairs: Sequence[tuple[Queued, Question]]) -> dict[str, Queued]:
    """Make locked rows as urgent and as owed as asked."""
    found = {row.identity: row for row, _ in pairs}
    alike: dict[tuple[bool, int], list[int]] = {}
    for row, asked in pairs:
        if row.lacks(asked):
            new = replace(row, deliver=row.deliver or asked.deliver, priority=max(row.priority, asked.priority))
            found[row.identity] = new
            alike.setdefault((new.deliver, new.priority), []).append(row.id)
    for (deliver, priority), numbers in alike.items():
        for some in chunks(numbers):
            statement = update(Job).where(Job.id.in_(some)).values(deliver=deliver, priority=priority)
            session.execute(statement, execution_options={"synchronize_session": False})
        expire(session, Job, numbers)
    return found


def enqueue(
    session: Session,
    *,
    identity: str,
    task_id: int,
    video_ref: str,
    query: str,
    model_version: str,
    deliver: bool = True,
    priority: int = 0,
    prompt: dict[str, Any] | None = None,
) -> tuple[Job, bool]:
    """The one job of this identity, and whether this call made it; :func:`enqueue_many` for one."""
    project_id = session.scalars(select(Task.project_id).where(Task.id == task_id)).one()
    asked = Question(identity, task_id, project_id, video_ref, query, model_version, deliver, priority, prompt)
    found = enqueue_many(session, [asked])[identity]
    return session.get_one(Job, found.id, populate_existing=True), found.made
