"""Which decisions does Label Studio still have to hear of?

A row of ``review`` that changes what a task shows there is told once. Which state is shown is looked up when it is
told, so late or doubled tellings do no harm. The columns are ``told_*``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import changed
from backend.db.reviews import REJECTED, SENT_BACK
from backend.db.tables import Review
from backend.db.types import now, plain

SHOWN = (REJECTED, SENT_BACK)
"""Decisions that a task shows in Label Studio for as long as they stand."""


def owed(session: Session, task_id: int, decision: str) -> dict[str, Any]:
    """The ``told_*`` columns of a new decision: to be told if it is shown, or if the task may show an older one."""
    if decision not in SHOWN and _newest(session, task_id) is None:
        return {}
    return {"told_state": "pending", "told_next_at": now()}


def again(session: Session, task_id: int | None) -> None:
    """The task's label or suggestion is another one now: what it shows in Label Studio may no longer hold."""
    row = None if task_id is None else _newest(session, task_id)
    if row is not None:
        row.told_state, row.told_attempts, row.told_next_at, row.told_leased_by = "pending", 0, now(), None


def waiting(session: Session) -> bool:
    """Is anything due? A look that takes no lock."""
    return session.scalar(select(Review.id).where(_due(now())).limit(1)) is not None


def claim(session: Session, teller: str, *, seconds: float) -> Review | None:
    """Take the oldest that is due, for ``seconds``, with its task; None when there is none."""
    moment = now()
    query = select(Review).where(_due(moment)).order_by(Review.told_next_at, Review.id).limit(1)
    row = session.scalars(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    row.told_attempts += 1
    row.told_state, row.told_next_at = "sending", moment + timedelta(seconds=seconds)
    row.told_leased_by = f"{teller}#{row.id}.{row.told_attempts}.{int(moment.timestamp() * 1000)}"[-128:]
    session.flush()
    return session.scalars(select(Review).where(Review.id == row.id).options(joinedload(Review.task))).one()


def told(session: Session, review_id: int, lease_name: str) -> bool:
    """Label Studio shows it."""
    return _end(session, review_id, lease_name, told_state="told", told_reason=None, told_next_at=None)


def postpone(session: Session, review_id: int, lease_name: str, reason: str | None, *, seconds: float) -> bool:
    """It did not get through; try again after ``seconds``."""
    values = {"told_next_at": now() + timedelta(seconds=seconds), "told_reason": reason and plain(reason)}
    return _end(session, review_id, lease_name, told_state="pending", **values)


def give_up(session: Session, review_id: int, lease_name: str, reason: str) -> bool:
    """It cannot get through: the task is gone, or may not be changed."""
    return _end(session, review_id, lease_name, told_state="failed", told_reason=plain(reason))


def _newest(session: Session, task_id: int) -> Review | None:
    told = select(Review).where(Review.task_id == task_id, Review.told_state.is_not(None))
    return session.scalars(told.order_by(Review.id.desc()).limit(1)).first()


def _due(moment: datetime) -> ColumnElement[bool]:
    return and_(Review.told_state.in_(("pending", "sending")), Review.told_next_at <= moment)


def _end(session: Session, review_id: int, lease_name: str, **values: Any) -> bool:
    held = and_(Review.id == review_id, Review.told_leased_by == lease_name, Review.told_state == "sending")
    return changed(session, update(Review).where(held).values(told_leased_by=None, **values))
