"""Where in a sorted list of tasks does a page begin? At a row, not at a number: rows may come and go meanwhile.

A cursor names the value that a task is sorted by, and the task, which settles ties. Unknown values come last whichever
way the list is sorted. In an address a cursor reads ``0.873~1234``, ``2026-01-31T10:00:00~7`` or, unknown, ``-~12``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, UnaryExpression, and_, or_

Value = float | int | datetime | None
_LARGEST = {int: 2**63 - 1, "task": 2**31 - 1}
_END = "end"


@dataclass(frozen=True)
class Cursor:
    """A place in the list.

    Attributes:
        value: what the task is sorted by, None where that is unknown.
        task_id: our row; None is the end of the list, behind every task.
        backwards: the page ends before this place; else it begins behind it.
    """

    value: Value
    task_id: int | None
    backwards: bool = False


END = Cursor(None, None, backwards=True)
"""The last page."""


def beyond(column: Any, number: Any, cursor: Cursor | None, *, downwards: bool) -> list[ColumnElement[bool]]:
    """Conditions for the rows behind a cursor, or before it where it looks backwards.

    Args:
        column: what is sorted by; ``number`` is the column that settles ties, ascending.
        cursor: None and :data:`END` leave all rows.
        downwards: the highest value comes first.
    """
    if cursor is None or cursor.task_id is None:
        return []
    value, unknown = cursor.value, column.is_(None)
    tied = number < cursor.task_id if cursor.backwards else number > cursor.task_id
    if value is None:
        same = and_(unknown, tied)
        return [or_(column.is_not(None), same) if cursor.backwards else same]
    further = column > value if cursor.backwards == downwards else column < value
    found = [further, and_(column == value, tied)]
    return [or_(*found) if cursor.backwards else or_(*found, unknown)]


def order(column: Any, number: Any, *, downwards: bool, backwards: bool) -> tuple[UnaryExpression[Any], ...]:
    """ORDER BY for a page; one that looks backwards comes in the opposite order."""
    directed = column.desc() if downwards != backwards else column.asc()
    if backwards:
        return directed.nulls_first(), number.desc()
    return directed.nulls_last(), number.asc()


def to_text(cursor: Cursor) -> str:
    """As it stands in an address."""
    if cursor.task_id is None:
        return _END
    value = cursor.value
    if isinstance(value, datetime):
        text = value.astimezone(UTC).replace(tzinfo=None).isoformat()
    else:
        text = "-" if value is None else repr(value)
    return f"{text}~{cursor.task_id}"


def from_text(text: str | None, kind: type, *, backwards: bool = False) -> Cursor | None:
    """Read an address; None for anything that :func:`to_text` would not write for values of this kind."""
    if not text or len(text) > 60 or not text.isascii():
        return None
    if text == _END:
        return END if backwards else None
    said, _, task = text.rpartition("~")
    number = _whole(task, _LARGEST["task"])
    if number is None:
        return None
    if said == "-":
        return Cursor(None, number, backwards)
    value = _value(said, kind)
    return None if value is None else Cursor(value, number, backwards)


def _value(said: str, kind: type) -> Value:
    try:
        if kind is datetime:
            return datetime.fromisoformat(said).replace(tzinfo=UTC)
        if kind is int:
            return _whole(said, _LARGEST[int])
        value = float(said)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _whole(text: str, largest: int) -> int | None:
    number = int(text) if text.isdigit() else None
    return number if number is not None and number <= largest else None
