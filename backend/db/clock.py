"""What time is it, for all processes alike? Leases must not depend on whose clock is wrong: the database's counts."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.types import now


def moment(session: Session) -> datetime:
    """The present by the database server's clock; SQLite has none of its own and lies on one machine anyway."""
    if session.get_bind().dialect.name != "postgresql":
        return now()
    found: datetime = session.scalars(select(func.clock_timestamp())).one()
    return found.astimezone(UTC)
