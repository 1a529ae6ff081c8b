"""What did reviewers decide about a task? Rows are only added; taking a decision back is a row too.

Where each task stands by them is ``backend.db.task_state``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Label, select
from sqlalchemy.orm import Session, aliased

from backend.db import deliveries, task_state
from backend.db.tables import Annotation, Review, Task
from backend.db.task_state import ACCEPTED, REJECTED, SENT_BACK, SENT_ON, UNDONE

__all__ = [
    "ACCEPTED", "REJECTED", "SENT_BACK", "SENT_ON", "UNDONE", "add", "decision_of_version", "history", "in_force",
    "lock_task",
]  # fmt: skip


def add(session: Session, **values: Any) -> Review:
    """One more decision; its number is known at once, and Label Studio is owed the news."""
    row = Review(**values)
    session.add(row)
    session.flush()
    task_state.refresh(session, [row.task_id])
    deliveries.tell_decision(session, row.task_id, row.decision)
    return row


def history(session: Session, task_id: int) -> Sequence[Review]:
    """All decisions about a task (its row), the undone ones too, oldest first."""
    return session.scalars(select(Review).where(Review.task_id == task_id).order_by(Review.id)).all()


def in_force(rows: Iterable[Review]) -> list[Review]:
    """Those of a history that nobody took back, oldest first."""
    rows = list(rows)
    undone = {row.undoes_id for row in rows}
    return [row for row in rows if row.decision != UNDONE and row.id not in undone]


def lock_task(session: Session, task_id: int) -> Task | None:
    """The task, which nobody else decides about until the transaction ends. SQLite has one writer anyway."""
    return session.scalars(select(Task).where(Task.id == task_id).with_for_update()).one_or_none()


def decision_of_version() -> Label[str | None]:
    """A column ``decision`` for a SELECT on annotations: the one in force about each version, null without one."""
    undoing = aliased(Review)
    taken_back = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    mine = Review.annotation_id == Annotation.id, Review.decision != UNDONE, Review.id.not_in(taken_back)
    return (
        select(Review.decision)
        .where(*mine)
        .order_by(Review.id.desc())
        .limit(1)
        .correlate(Annotation)
        .scalar_subquery()
        .label("decision")
    )
