"""Which webhooks came, and which are still to be turned into annotations?"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db import lease as leases
from backend.db.engine import insert_once
from backend.db.tables import Event
from backend.db.types import now, plain

MOST_BYTES = 2_000_000
"""Of the bodies that are read together: reading them must end long before their lease. A larger one is read alone."""

STATES = ("new", "reading", "done", "ignored", "unknown_project", "failed")


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


def take(session: Session, reader: str, *, seconds: float, limit: int) -> list[Event]:
    """The oldest events that wait, held for ``seconds``.

    One whose reader is gone comes first and alone: of several that were read together, only the one that kills its
    readers may be set aside for it.
    """
    suspects = select(Event).order_by(Event.deaths, Event.id)
    taken, _ = leases.take_left(session, suspects, Event, reader, seconds=seconds)
    if not taken:
        new = select(Event).order_by(Event.id)
        taken = leases.take_due(session, new, Event, reader, seconds=seconds, limit=limit)
    return taken


def ready(session: Session, *, limit: int) -> int:
    """How many events to read together now, 0 where none waits: fewer where they are large. Takes no lock."""
    sizes = leases.due_sizes(session, Event, func.length(Event.body), limit=limit)
    if not sizes:
        return int(leases.waiting(session, Event))
    return max(1, sum(so_far <= MOST_BYTES for so_far in accumulate(sizes)))


def close(session: Session, event_id: int, lease_name: str, state: str, reason: str | None = None) -> bool:
    """An event was read: ``done``, ``ignored`` or ``failed``. False when it is held by another reader by now."""
    said = None if reason is None else plain(reason)
    return leases.release(session, Event, event_id, lease_name, state=state, reason=said, processed_at=now())


def close_all(session: Session, held: Mapping[int, str]) -> bool:
    """Several events were read: ``done``. By their numbers; False when any is held by another reader by now."""
    return leases.release_all(session, Event, held, state="done", reason=None, processed_at=now())


def put_back(session: Session, event_id: int, lease_name: str) -> bool:
    """Return a held event unharmed: nothing was read."""
    return leases.put_back(session, Event, event_id, lease_name)


def again(session: Session, event_id: int, lease_name: str, reason: str, *, seconds: float) -> bool:
    """Reading failed for a reason that may pass: once more after ``seconds``."""
    return leases.postpone(session, Event, event_id, lease_name, reason, seconds=seconds)


def counts(session: Session) -> dict[str, int]:
    """Events per state."""
    found = dict(session.execute(select(Event.state, func.count()).group_by(Event.state)).tuples().all())
    return {state: found.get(state, 0) for state in STATES}
