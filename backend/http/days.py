"""Days in an address: ``?from=2026-01-01&to=2026-01-31``, both included, in UTC."""

from __future__ import annotations

import re
from datetime import date

from werkzeug.datastructures import MultiDict

from stvg_core.errors import StvgError

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


class FilterError(StvgError):
    """A value in an address cannot be read; the message names its field."""


def read_days(asked: MultiDict[str, str]) -> tuple[date | None, date | None]:
    """The first and the last day, None where none is given.

    Raises:
        FilterError: a value is no day, or the last day is before the first.
    """
    first, last = _day(asked.get("from", ""), "From"), _day(asked.get("to", ""), "To")
    if first is not None and last is not None and last < first:
        raise FilterError("The last day is before the first.")
    return first, last


def _day(text: str, field: str) -> date | None:
    text = text.strip()
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise FilterError(f'{field}: "{text[:40]}" is no day. Write it as 2026-01-31.')
