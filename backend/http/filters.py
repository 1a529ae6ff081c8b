"""The queue's filter as it stands in an address, and back. What cannot be read is left out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from backend.db.types import plain
from backend.review.queue import SORTS, STATES, QueueFilter

_LARGEST = 2**63 - 1
DEFAULT = QueueFilter()


def read(asked: MultiDict[str, str]) -> QueueFilter:
    """``?state=to+review&project=3&version=...&annotator=7&sort=age&order=up&page=2``."""
    state, sort = asked.get("state"), asked.get("sort")
    return QueueFilter(
        state=state if state in STATES else None,
        project_id=_number(asked.get("project")),
        model_version=plain(asked.get("version", "")) or None,
        annotator=_number(asked.get("annotator")),
        sort=next((name for name in SORTS if name == sort), DEFAULT.sort),
        descending=asked.get("order") != "up",
        page=max(1, _number(asked.get("page")) or 1),
    )


def query(chosen: QueueFilter, **changes: Any) -> dict[str, Any]:
    """The arguments of an address; what is as usual is left out."""
    chosen = replace(chosen, **changes)
    given = {
        "state": chosen.state,
        "project": chosen.project_id,
        "version": chosen.model_version,
        "annotator": chosen.annotator,
        "sort": None if chosen.sort == DEFAULT.sort else chosen.sort,
        "order": None if chosen.descending else "up",
        "page": None if chosen.page == 1 else chosen.page,
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _number(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 19:
        return None
    return int(text) if int(text) <= _LARGEST else None
