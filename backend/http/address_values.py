"""Single values of an address, such as ``?project=3&from=2026-01-31``.

What cannot be read is an error: another page than the one that was asked for would look like it. An empty value is as
good as none.
"""

from __future__ import annotations

import math
import re
from datetime import date
from typing import TypeVar

from werkzeug.datastructures import MultiDict

from backend.db.types import plain
from stvg_core.errors import StvgError

_LARGEST = 2**63 - 1
_SHOWN, _LONGEST = 60, 255
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
Name = TypeVar("Name", bound=str)


class FilterError(StvgError):
    """What the address asks for cannot be shown.

    Args:
        name: the part of the address; ``text`` is what stands there.
        wanted: what it has to be.
    """

    def __init__(self, name: str, text: str, wanted: str) -> None:
        shown = text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
        super().__init__(f'The address says {name}="{plain(shown)}". {wanted}')


def read_text(asked: MultiDict[str, str], name: str) -> str:
    """Without white space at its ends."""
    values = asked.getlist(name)
    if len(values) > 1:
        raise FilterError(name, values[1], "It stands there twice: leave one out.")
    return values[0].strip() if values else ""


def read_one_of(asked: MultiDict[str, str], name: str, known: tuple[Name, ...]) -> Name | None:
    """One of the known words, None where nothing stands there. Raises FilterError for another one."""
    text = read_text(asked, name)
    if not text:
        return None
    for each in known:
        if each == text:
            return each
    raise FilterError(name, text, f"It is one of: {', '.join(known)}.")


def read_stored(asked: MultiDict[str, str], name: str) -> str | None:
    """A name as the database has it: a model version, a person, an act."""
    text = read_text(asked, name)
    if plain(text) != text:
        raise FilterError(name, text, "It has characters that are never stored.")
    if len(text) > _LONGEST:
        raise FilterError(name, text, f"It has {len(text)} characters; none that is stored has more than {_LONGEST}.")
    return text or None


def read_share(asked: MultiDict[str, str], name: str) -> float | None:
    """A number from 0 to 1, None where nothing stands there. Raises FilterError for anything else."""
    text = read_text(asked, name)
    if not text:
        return None
    try:
        value = float(text) if text.isascii() else math.nan
    except ValueError:
        value = math.nan
    if not 0 < value <= 1:
        raise FilterError(name, text, "It is a number above 0 and up to 1, such as 0.2.")
    return value


def read_number(
    asked: MultiDict[str, str], name: str, *, signed: bool = False, largest: int = _LARGEST
) -> int | None:  # fmt: skip
    """A local project has a negative number."""
    text = read_text(asked, name)
    if not text:
        return None
    digits = text.removeprefix("-") if signed else text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 19 or int(digits) > largest:
        raise FilterError(name, text, "It is a whole number.")
    return int(text)


def read_days(asked: MultiDict[str, str]) -> tuple[date | None, date | None]:
    """The first and the last day, ``from`` and ``to``, both included, in UTC; None where none is given."""
    first, last = _day(asked, "from"), _day(asked, "to")
    if first is not None and last is not None and last < first:
        raise FilterError("to", last.isoformat(), "The last day is before the first.")
    return first, last


def _day(asked: MultiDict[str, str], name: str) -> date | None:
    text = read_text(asked, name)
    if not text:
        return None
    try:
        if _DAY.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise FilterError(name, text, "It is a day, such as 2026-01-31.")
