"""The queue's filter as it stands in an address, and back. What cannot be read is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from backend.db.types import plain
from backend.review import keyset
from backend.review.keyset import Cursor
from backend.review.queue import SORTS, STATES, QueueFilter, Sort, value_kind

_LARGEST = 2**63 - 1
DEFAULT = QueueFilter()


def read(asked: MultiDict[str, str]) -> QueueFilter:
    """``?state=to+review&project=3&version=...&annotator=7&sort=age&order=up&after=2026-01-31T10:00:00~7``."""
    state, given = asked.get("state"), asked.get("sort")
    sort = next((name for name in SORTS if name == given), DEFAULT.sort)
    return QueueFilter(
        state=state if state in STATES else None,
        project_id=_project(asked.get("project")),
        model_version=plain(asked.get("version", "")) or None,
        annotator=_number(asked.get("annotator")),
        sort=sort,
        descending=asked.get("order") != "up",
        cursor=_cursor(asked, sort),
    )


def query(chosen: QueueFilter, **changes: Any) -> dict[str, Any]:
    """The arguments of an address; what is as usual is left out."""
    chosen = replace(chosen, **changes)
    cursor = chosen.cursor
    given = {
        "state": chosen.state,
        "project": chosen.project_id,
        "version": chosen.model_version,
        "annotator": chosen.annotator,
        "sort": None if chosen.sort == DEFAULT.sort else chosen.sort,
        "order": None if chosen.descending else "up",
        "after": None if cursor is None or cursor.backwards else keyset.to_text(cursor),
        "before": None if cursor is None or not cursor.backwards else keyset.to_text(cursor),
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _cursor(asked: MultiDict[str, str], sort: Sort) -> Cursor | None:
    kind = value_kind(sort)
    behind = keyset.from_text(asked.get("after"), kind)
    return behind or keyset.from_text(asked.get("before"), kind, backwards=True)


def _project(text: str | None) -> int | None:
    """A local project has a negative number."""
    number = _number(text.removeprefix("-")) if text else None
    return -number if number is not None and text is not None and text.startswith("-") else number


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return int(text) if int(text) <= _LARGEST else None
