"""How far behind are we? The ages of what waits longest, each asked of an index."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from backend.db.tables import Delivery, Event, Job
from backend.db.types import now


def oldest_queued_job(session: Session) -> float:
    """Seconds since the oldest job was queued, 0 where none waits."""
    first = select(func.min(Job.id)).where(Job.state == Job.WAITING).scalar_subquery()
    return _age(session, select(Job.created_at).where(Job.id == first))


def oldest_new_event(session: Session) -> float:
    """Seconds since the oldest webhook arrived that no worker has read yet, 0 where all are read."""
    return _age(session, select(Event.received_at).where(Event.state == Event.WAITING).order_by(Event.id))


def longest_due_push(session: Session) -> float:
    """Seconds by which what Label Studio has to be told is late, where it has waited longest; 0 where nothing is due.

    One kind of waiting at a time, so that an index answers: never tried, to be tried again, its sender gone.
    """
    at = now()
    waits, held = Delivery.state == Delivery.WAITING, Delivery.state == Delivery.HELD
    new = select(Delivery.created_at).where(waits, Delivery.run_after.is_(None)).order_by(Delivery.id)
    again = select(Delivery.run_after).where(waits, Delivery.run_after <= at).order_by(Delivery.run_after)
    gone = select(Delivery.lease_until).where(held, Delivery.lease_until <= at).order_by(Delivery.lease_until)
    return max(_age(session, query, at) for query in (new, again, gone))


def _age(session: Session, query: Select[Any], moment: datetime | None = None) -> float:
    found = session.scalar(query.limit(1))
    return 0.0 if found is None else max(0.0, ((moment or now()) - found).total_seconds())
