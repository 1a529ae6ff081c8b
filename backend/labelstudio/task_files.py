"""Which tasks does a file list? JSON, JSON lines or a table with a header, told apart by what is in the file.

A record that cannot be read is kept with the reason, so that all of them can be named at once. What is wrong with the
file as a whole (its encoding, its header, a quote that never ends) is an error, because then nothing is sure.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.labelstudio import task_tables
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_tables import Entry
from stvg_core.text import read_text

_LINES = (".jsonl", ".ndjson")
_ARCHIVE = b"PK\x03\x04"
"""How a spreadsheet's own format begins: it is a zip file."""


@dataclass(frozen=True)
class TaskFile:
    """What a task file holds.

    Attributes:
        entries: the records in their order, numbered from 1.
        columns: of a table, the names in its header; None of the other kinds.
    """

    entries: list[Entry]
    columns: tuple[str, ...] | None = None


def read_task_file(path: Path, names: Sequence[Sequence[str]], *, encoding: str | None = None) -> TaskFile:
    """Read the records of a task file; nothing is said yet about what they should hold.

    Args:
        names: the columns that a table needs, each with the other names that it may have there.
        encoding: of the text; None for UTF-8 (or UTF-16 with its mark).

    Raises:
        PayloadError: the file cannot be read, is of no known kind, lacks a column, or is empty.
        TextError: it is in another encoding.
    """
    try:
        with path.open("rb") as file:
            archive = file.read(len(_ARCHIVE)) == _ARCHIVE
        if archive:
            raise PayloadError(f"{path} is a spreadsheet or an archive. Save the sheet as CSV (UTF-8).")
        text = read_text(path, encoding=encoding)
    except OSError as error:
        raise PayloadError(f"The task file {path} cannot be read: {error.strerror}.") from None
    begin = text.lstrip()[:1]
    if begin == "[":
        found = TaskFile(_array(path, text))
    elif begin == "{" or path.suffix.lower() in _LINES:
        found = TaskFile(_objects(path, text))
    else:
        entries, columns = task_tables.read(path, text, names)
        found = TaskFile(entries, columns)
    if not found.entries:
        raise PayloadError(f"{path} holds no task.")
    return found


def _array(path: Path, text: str) -> list[Entry]:
    """A JSON list."""
    try:
        records = _loads(text)
    except json.JSONDecodeError as error:
        raise PayloadError(
            f"{path} is not JSON: line {error.lineno}, column {error.colno}: {error.msg}. (JSON lines, one record on "
            "each line, have no bracket around them.)"
        ) from None
    except _Unreadable as error:
        raise PayloadError(f"{path} is not JSON that can be read: {error}.") from None
    return [_entry(record, number, None) for number, record in enumerate(records, start=1)]


def _objects(path: Path, text: str) -> list[Entry]:
    """JSON lines; or one JSON object over several lines, which is a list of one."""
    try:
        return [_entry(_loads(text), 1, None if "\n" in text.strip() else _first_line(text))]
    except (json.JSONDecodeError, _Unreadable):
        pass
    entries: list[Entry] = []
    for line, content in enumerate(text.split("\n"), start=1):
        if content.strip():
            entries.append(_line(content, len(entries) + 1, line))
    if entries and all(entry.data is None for entry in entries):
        first = entries[0]
        raise PayloadError(
            f"{path} is neither a JSON list nor JSON lines (one object on each line): line {first.line} "
            f"{'; '.join(first.problems)}."
        )
    return entries


def _first_line(text: str) -> int:
    return text[: len(text) - len(text.lstrip())].count("\n") + 1


def _line(content: str, number: int, line: int) -> Entry:
    try:
        return _entry(_loads(content), number, line)
    except json.JSONDecodeError as error:
        return Entry(number, line, None, (f"is not JSON (column {error.colno}: {error.msg})",))
    except _Unreadable as error:
        return Entry(number, line, None, (f"is not JSON that can be read: {error}",))


def _entry(record: Any, number: int, line: int | None) -> Entry:
    """The record, with the values in it that no task can hold."""
    if not isinstance(record, dict):
        return Entry(number, line, None, ("is no object with a video and a query",))
    try:
        return Entry(number, line, record, tuple(dict.fromkeys(_flaws(record))))
    except RecursionError:
        return Entry(number, line, None, ("is nested too deeply",))


class _Unreadable(ValueError):
    """Well-formed, but nothing to work with."""


@dataclass(frozen=True)
class _NoNumber:
    """NaN or an infinity: Python writes them, JSON does not have them."""

    name: str


class _Object(dict[str, Any]):
    """A JSON object that remembers which of its keys came twice."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        count = Counter(name for name, _ in pairs) if len(self) < len(pairs) else {}
        self.repeated = sorted(name for name, times in count.items() if times > 1)


def _loads(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_Object, parse_constant=_NoNumber)
    except RecursionError:
        raise _Unreadable("it is nested too deeply") from None
    except json.JSONDecodeError:
        raise
    except ValueError:
        raise _Unreadable("it holds a number with thousands of digits") from None


def _flaws(value: Any) -> Iterator[str]:
    if isinstance(value, _NoNumber):
        yield f"holds {value.name}, which is no number in JSON"
    elif isinstance(value, float) and not math.isfinite(value):
        yield "holds a number that is too large"
    elif isinstance(value, str):
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            yield "holds half of a character (a lone surrogate)"
    elif isinstance(value, _Object):
        yield from (f'names "{name}" twice' for name in value.repeated)
        for name, inner in value.items():
            yield from _flaws(name)
            yield from _flaws(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _flaws(inner)
