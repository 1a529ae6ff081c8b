"""Who did what? Rows are only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.days import within
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


@dataclass(frozen=True)
class Acts:
    """Which acts: whose, of which kind, and from which day to which (UTC, both included)."""

    who: str | None = None
    action: str | None = None
    first: date | None = None
    last: date | None = None


EVERY = Acts()


def newest(session: Session, limit: int = 50, before: int | None = None, chosen: Acts = EVERY) -> Sequence[Audit]:
    """The latest acts, newest first; ``before`` is the row that the page before ended with."""
    query = select(Audit).where(*within(Audit.at, chosen.first, chosen.last)).order_by(Audit.id.desc()).limit(limit)
    if chosen.who is not None:
        query = query.where(Audit.who == chosen.who)
    if chosen.action is not None:
        query = query.where(Audit.action == chosen.action)
    if before is not None:
        query = query.where(Audit.id < before)
    return session.scalars(query).all()


def choices(session: Session) -> tuple[list[str], list[str]]:
    """Everybody who did something, and every kind of act, in order."""
    found = session.execute(select(Audit.who, Audit.action).distinct()).all()
    return sorted({row.who for row in found}), sorted({row.action for row in found})
