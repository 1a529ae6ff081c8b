"""The queue's filter as it stands in an address, and back.

What cannot be read is an error: another list than the one that was asked for would look like it.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, TypeVar

from werkzeug.datastructures import MultiDict

from backend.db.types import plain
from backend.review import keyset
from backend.review.keyset import Cursor
from backend.review.queue import SORTS, STATES, QueueFilter, Sort, value_kind
from backend.review.queue_search import tidy
from stvg_core.errors import StvgError

_LARGEST = 2**63 - 1
_SHOWN = 60
DEFAULT = QueueFilter()
Name = TypeVar("Name", bound=str)


class FilterError(StvgError):
    """The list that the address asks for cannot be shown.

    Args:
        name: the part of the address; ``text`` is what stands there.
        wanted: what it has to be.
    """

    def __init__(self, name: str, text: str, wanted: str) -> None:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        super().__init__(f'The address says {name}="{plain(shown)}". {wanted}')


def read(asked: MultiDict[str, str]) -> QueueFilter:
    """``?state=to+review&search=red+car&below=0.2&project=3&version=...&sort=age&order=up&after=2026-01-31T10:00:00~7``.

    An empty value is as good as none.

    Raises:
        FilterError: a value means nothing.
        SearchError: the search is too long.
    """
    sort = _one_of(asked, "sort", SORTS) or DEFAULT.sort
    return QueueFilter(
        state=_one_of(asked, "state", STATES),
        project_id=_number(asked, "project", signed=True),
        model_version=_version(asked),
        annotator=_number(asked, "annotator"),
        search=tidy(_text(asked, "search")),
        below=_share(asked, "below"),
        sort=sort,
        descending=_one_of(asked, "order", ("up",)) is None,
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


def _text(asked: MultiDict[str, str], name: str) -> str:
    values = asked.getlist(name)
    if len(values) > 1:
        raise FilterError(name, values[1], "It stands there twice: leave one out.")
    return values[0] if values else ""


def _one_of(asked: MultiDict[str, str], name: str, known: tuple[Name, ...]) -> Name | None:
    text = _text(asked, name)
    if not text:
        return None
    for each in known:
        if each == text:
            return each
    raise FilterError(name, text, f"It is one of: {', '.join(known)}.")


def _version(asked: MultiDict[str, str]) -> str | None:
    text = _text(asked, "version")
    if plain(text) != text:
        raise FilterError("version", text, "It has characters that no model version has.")
    return text or None


def _cursor(asked: MultiDict[str, str], sort: Sort) -> Cursor | None:
    after, before = _text(asked, "after"), _text(asked, "before")
    if after and before:
        raise FilterError("before", before, 'It says "after" too: leave one of them out.')
    found = keyset.from_text(after or before, value_kind(sort), backwards=bool(before))
    if found is None and (after or before):
        name = "after" if after else "before"
        raise FilterError(
            name, after or before, f"That is no place in a list by {sort}: leave it out for the first page."
        )
    return found


def _share(asked: MultiDict[str, str], name: str) -> float | None:
    text = _text(asked, name).strip()
    if not text:
        return None
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise FilterError(name, text, "It is a number above 0 and up to 1, such as 0.2.")
    return value


def _number(asked: MultiDict[str, str], name: str, *, signed: bool = False) -> int | None:
    """A local project has a negative number."""
    text = _text(asked, name)
    if not text:
        return None
    digits = text.removeprefix("-") if signed else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19 or int(digits) > _LARGEST:
        raise FilterError(name, text, "It is a whole number.")
    return int(text)
