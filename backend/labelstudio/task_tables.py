"""Tasks as a table: CSV with a header, separated by commas, semicolons or tabs.

The separator is the one under which the header has the columns that are needed: sentences are full of commas, so
counting characters would be a guess. A row of another length than the header is a problem and not cut: it is nearly
always a sentence with a comma and no quotes around it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.labelstudio.payloads import PayloadError
from stvg_core import text as texts

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab"}


@dataclass(frozen=True)
class Entry:
    """One record of a task file.

    Attributes:
        record: its number in the file, from 1; a header does not count.
        line: the line of the file on which it begins, from 1; None where the kind of file has no such lines.
        data: the record, alone or inside ``data``; None where it cannot be read.
        problems: what is wrong with it, each the end of a sentence about the record.
    """

    record: int
    line: int | None
    data: dict[str, Any] | None
    problems: tuple[str, ...] = ()


def read(path: Path, text: str, names: Sequence[Sequence[str]]) -> tuple[list[Entry], tuple[str, ...]]:
    """The rows, and the columns.

    Args:
        names: the columns that are needed, each with the other names that it may have; the sentence's last.

    Raises:
        PayloadError: no such table: a column is missing or there twice, or a quote does not end.
    """
    if not text.strip():
        raise PayloadError(f"{path} is empty.")
    separator = _separator(path, text, names)
    rows = _rows(path, text, separator)
    _, header = next(rows)
    columns = tuple(texts.clean(cell) for cell in header)
    named = [texts.key(column) for column in columns if column]
    twice = sorted({column for column in columns if named.count(texts.key(column)) > 1})
    if twice:
        raise PayloadError(f"{path} has two columns called {', '.join(map(repr, twice))}.")
    canonical = {texts.key(name): name for known in names for name in known}
    keys = tuple(canonical.get(texts.key(column), column) for column in columns)
    sentence = next((keys.index(name) for name in names[-1] if name in keys), len(keys)) if names else len(keys)
    entries = [_entry(number, line, row, keys, sentence) for number, (line, row) in enumerate(rows, start=1)]
    return entries, tuple(column for column in columns if column)


def _separator(path: Path, text: str, names: Sequence[Sequence[str]]) -> str:
    """Under which one does the header have what is needed?"""
    best, lacking = ",", list(names)
    for separator in SEPARATORS:
        header = {texts.key(cell) for cell in next(_rows(path, text, separator))[1]}
        missing = [known for known in names if not any(texts.key(name) in header for name in known)]
        if not missing:
            return separator
        if len(missing) < len(lacking):
            best, lacking = separator, missing
    columns = [texts.clean(cell) for cell in next(_rows(path, text, best))[1]]
    wanted = " and ".join(" or ".join(f'"{name}"' for name in known) for known in lacking)
    raise PayloadError(
        f"{path} has no column {wanted}. Its first line, which must name the columns, has: "
        f"{', '.join(repr(column) for column in columns[:20])}. (Neither JSON nor JSON lines were found in it; columns "
        f"are separated by {', '.join(SEPARATORS.values())}.)"
    )


def _rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """``(line on which it begins, cells)`` of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    line = 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise PayloadError(
                f"{path}: the row that begins on line {line} cannot be read: {error}. Is a quote missing there, or one "
                'that is part of a sentence not doubled ("")?'
            ) from None
        if any(cell.strip() for cell in row):
            yield line, row
        line = reader.line_num + 1


def _entry(number: int, line: int, row: list[str], keys: tuple[str, ...], sentence: int) -> Entry:
    if len(row) != len(keys):
        hint = ": is a sentence with a separator in it without quotes?" if len(row) > len(keys) else ""
        return Entry(number, line, None, (f"has {len(row)} cells, the header has {len(keys)}{hint}",))
    problems = []
    cells = dict(zip(keys, row, strict=True))
    if cells.pop("", "").strip():
        problems.append("has a value in a column without a name")
    broken = [name for name, cell in cells.items() if "\n" in cell.strip()]
    problems += [f'has a line break in "{name}": is a quote missing?' for name in broken]
    if texts.goes_on(row, sentence):
        rest = row[sentence + 1].strip()
        problems.append(f'has {rest!r} in "{keys[sentence + 1]}": is a sentence with a comma in it without quotes?')
    return Entry(number, line, {"data": cells}, tuple(problems))  # a column may be called "data" as well
