"""Which of the workers does what only one has to do, and when is it due again? ``backend.db.lease`` holds the row."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import lease as leases
from backend.db.engine import insert_once
from backend.db.tables import Chore


def due(session: Session, name: str) -> bool:
    """Could it be taken now? A look that takes no lock."""
    known = session.scalar(select(Chore.id).where(Chore.name == name)) is not None
    return not known or leases.waiting(session, Chore, Chore.name == name)


def take(session: Session, name: str, worker: str, *, seconds: float) -> Chore | None:
    """Hold a chore for ``seconds``; None where another worker does it, or it is not due.

    It is never given up: a chore that its workers die of is still everybody's.
    """
    insert_once(session, Chore, "name", name=name)
    query = select(Chore).where(Chore.name == name)
    taken, _ = leases.take(session, query, Chore, worker, seconds=seconds, max_deaths=2**31)
    return taken[0] if taken else None


def renew(session: Session, chore: Chore, *, seconds: float) -> bool:
    """Prolong it; False when another worker has it by now."""
    return leases.renew(session, Chore, chore.id, str(chore.leased_by), seconds=seconds)


def rest(session: Session, chore: Chore, *, seconds: float) -> bool:
    """It was done; due again after ``seconds``."""
    return leases.postpone(session, Chore, chore.id, str(chore.leased_by), None, seconds=seconds)
