"""How far behind are we? The ages of what waits longest, each found at the end of an index and not by a count."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.db.tables import Delivery, Event, Job
from backend.db.types import now


def oldest_queued_job(session: Session) -> float:
    """Seconds since the oldest job was queued, 0 where none waits. Of the least urgent ones, which wait longest."""
    first = select(Job.created_at).where(Job.state == "queued").order_by(Job.priority, Job.id)
    return _age(session, first)


def oldest_new_event(session: Session) -> float:
    """Seconds since the oldest webhook arrived that no worker has read yet, 0 where all are read."""
    return _age(session, select(Event.received_at).where(Event.state == "new").order_by(Event.id))


def longest_due_push(session: Session) -> float:
    """Seconds by which the push to Label Studio is late that has waited longest, 0 where none is due."""
    moment = now()
    due = Delivery.next_attempt_at
    return max(_age(session, _due(due, Delivery.state == state, moment), moment) for state in ("pending", "sending"))


def _due(column: InstrumentedAttribute[datetime], state: ColumnElement[bool], moment: datetime) -> Select[Any]:
    """One state at a time, so that the index of state and time answers."""
    return select(column).where(state, column <= moment).order_by(column)


def _age(session: Session, query: Select[Any], moment: datetime | None = None) -> float:
    found = session.scalar(query.limit(1))
    return 0.0 if found is None else max(0.0, ((moment or now()) - found).total_seconds())
