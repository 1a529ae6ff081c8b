"""Who did what? Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.tables import Audit
from backend.db.types import plain


def add(
    session: Session,
    *,
    who: str,
    action: str,
    role: str | None = None,
    target: str = "",
    detail: dict[str, Any] | None = None,
    address: str | None = None,
) -> None:
    """Note an act, in the same transaction as the act itself."""
    session.add(
        Audit(
            who=plain(who)[:64],
            role=role,
            action=plain(action)[:64],
            target=plain(target),
            detail=detail or {},
            address=None if address is None else plain(address)[:64],
        )
    )


def newest(session: Session, limit: int = 50, before: int | None = None) -> Sequence[Audit]:
    """The latest acts, newest first; ``before`` is the row that the page before ended with."""
    query = select(Audit).order_by(Audit.id.desc()).limit(limit)
    if before is not None:
        query = query.where(Audit.id < before)
    return session.scalars(query).all()
