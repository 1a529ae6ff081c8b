"""Days of moments, in UTC: on which day was it, and was it between two days?"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import ColumnElement, String, cast, func
from sqlalchemy.orm import Session


def day_of(session: Session, moment: Any) -> ColumnElement[str]:
    """The day of a column's moment as text, ``2026-01-31``."""
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(func.timezone("UTC", moment), "YYYY-MM-DD", type_=String)
    return func.substr(cast(moment, String), 1, 10, type_=String)  # as SQLite keeps it


def within(moment: Any, first: date | None, last: date | None) -> list[ColumnElement[bool]]:
    """Conditions: on the first day or later, on the last or before; None is no limit."""
    found = [] if first is None else [moment >= _midnight(first)]
    if last is not None and last < date.max:
        found.append(moment < _midnight(last + timedelta(days=1)))
    return found


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
