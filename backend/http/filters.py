"""The queue's filter as it stands in an address, and back."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from werkzeug.datastructures import MultiDict

from backend.http.address_values import FilterError, read_number, read_one_of, read_share, read_stored, read_text
from backend.review import keyset
from backend.review.keyset import Cursor
from backend.review.queue import SORTS, STATES, QueueFilter, Sort, value_kind
from backend.review.queue_search import tidy

DEFAULT = QueueFilter()


def read(asked: MultiDict[str, str]) -> QueueFilter:
    """``?state=to+review&search=red+car&below=0.2&project=3&version=...&sort=age&order=up&after=2026-01-31T10:00:00~7``.

    Raises:
        FilterError: a value means nothing.
        SearchError: the search is too long.
    """
    sort = read_one_of(asked, "sort", SORTS) or DEFAULT.sort
    return QueueFilter(
        state=read_one_of(asked, "state", STATES),
        project_id=read_number(asked, "project", signed=True),
        model_version=read_stored(asked, "version"),
        annotator=read_number(asked, "annotator"),
        search=tidy(read_text(asked, "search")),
        below=read_share(asked, "below"),
        sort=sort,
        descending=read_one_of(asked, "order", ("up",)) is None,
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
        "search": chosen.search or None,
        "below": chosen.below,
        "sort": None if chosen.sort == DEFAULT.sort else chosen.sort,
        "order": None if chosen.descending else "up",
        "after": None if cursor is None or cursor.backwards else keyset.to_text(cursor),
        "before": None if cursor is None or not cursor.backwards else keyset.to_text(cursor),
    }
    return {name: str(value) for name, value in given.items() if value is not None}


def _cursor(asked: MultiDict[str, str], sort: Sort) -> Cursor | None:
    after, before = read_text(asked, "after"), read_text(asked, "before")
    if after and before:
        raise FilterError("before", before, 'It says "after" too: leave one of them out.')
    found = keyset.from_text(after or before, value_kind(sort), backwards=bool(before))
    if found is None and (after or before):
        name = "after" if after else "before"
        raise FilterError(
            name, after or before, f"That is no place in a list by {sort}: leave it out for the first page."
        )
    return found
