"""Which webhooks came, and which are still to be turned into annotations?"""

from __future__ import annotations

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.engine import insert_once
from backend.db.tables import Event
from backend.db.types import now, plain

STATES = ("new", "done", "ignored", "unknown_project", "failed")


def store(session: Session, body: bytes, *, action: str, project_id: int | None, state: str = "new") -> bool:
    """Keep a body as it came; False when the very same body is here already."""
    return insert_once(
        session,
        Event,
        "sha256",
        sha256=hashlib.sha256(body).hexdigest(),
        action=plain(action)[:64],
        project_id=project_id,
        body=body,
        state=state,
    )


def next_new(session: Session) -> Event | None:
    """The oldest event that waits; other workers pass over it while this transaction lasts (PostgreSQL)."""
    query = select(Event).where(Event.state == "new").order_by(Event.id).limit(1)
    return session.scalars(query.with_for_update(skip_locked=True)).first()


def waiting(session: Session) -> bool:
    """Is there an event to read? A look that takes no lock."""
    return session.scalar(select(Event.id).where(Event.state == "new").limit(1)) is not None


def close(event: Event, state: str, reason: str | None = None) -> None:
    event.state, event.reason, event.processed_at = state, None if reason is None else plain(reason), now()


def counts(session: Session) -> dict[str, int]:
    """Events per state."""
    found = dict(session.execute(select(Event.state, func.count()).group_by(Event.state)).tuples().all())
    return {state: found.get(state, 0) for state in STATES}
