"""CSV with one row per frame on which a box is on, as our export writes it; frames from 0, corners in pixels.

What a spreadsheet made of it is read too: semicolons or tabs between the columns, and then commas before fractions.

A spreadsheet takes a text that begins with ``=`` and the like for a formula. Such texts have an apostrophe in front,
which :func:`unguarded` takes off again.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stvg_core.datasets.base import MAX_FRAMES, DatasetError, VideoLabel, decimal, load_text, take_or_raise, whole
from stvg_core.text import clean, goes_on, key

_NEEDED = ("video", "sentence", "frame", "x1", "y1", "x2", "y2")
_LABEL = ("video", "project", "task", "annotation", "label", "sentence")
"""Rows that agree on these are of one label."""

SEPARATORS = (",", ";", "\t")

_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
_CONTROL = ("\t", "\r", "\n")


def guarded(text: str) -> str:
    """The text, harmless in a spreadsheet: none takes what begins with an apostrophe for a formula.

    What begins with apostrophes before such a text gets one more, so that :func:`unguarded` gives every text back.
    """
    return f"'{text}" if _dangerous(text.lstrip("'")) else text


def unguarded(text: str) -> str:
    """The text that :func:`guarded` was given."""
    return text[1:] if text.startswith("'") and _dangerous(text.lstrip("'")) else text


def _dangerous(text: str) -> bool:
    visible = next((ch for ch in text if not ch.isspace() and not unicodedata.category(ch).startswith("C")), "")
    return visible in _FORMULA or text.startswith(_CONTROL)


def read(path: str | Path, *, encoding: str | None = None, bad: list[str] | None = None) -> list[VideoLabel]:
    """All labels of a file, in the file's order.

    Args:
        encoding: of the file, where it is not UTF-8.
        bad: gets a sentence for each row that cannot be used and each label with two boxes on one frame; they are left
            out then.

    Raises:
        DatasetError: missing, or without the columns; without ``bad``, the row at fault is named.
    """
    path = Path(path)
    text = load_text(path, encoding=encoding, keep_line_ends=True)
    boxes: dict[tuple[str, ...], dict[int, list[float]]] = {}
    doubled: dict[tuple[str, ...], str] = {}
    try:
        first, text = _separated(text)
        table = _table(path, text)
        for number, row in enumerate(table.rows, start=first + 1):
            if not row:
                continue
            try:
                which, frame, box = _row(f"{path}, row {number}", row, table)
            except DatasetError as error:
                take_or_raise(error, bad)
                continue
            if frame in boxes.setdefault(which, {}):
                doubled.setdefault(which, f"{path}, row {number}: a second box on frame {frame} of one label.")
            boxes[which][frame] = box
    except csv.Error as error:
        raise DatasetError(f"{path} is no CSV file ({error}).") from error
    if len(table.marks) > 1:
        raise DatasetError(f"{path} has numbers with a point and numbers with a comma: which mark is the decimal one?")
    for which, reason in doubled.items():
        take_or_raise(DatasetError(reason), bad)
        del boxes[which]
    return [_label(path, which, found) for which, found in boxes.items()]


@dataclass
class _Table:
    """The rows below the header, and the place of each column.

    Attributes:
        decimal_comma: numbers may have a comma before their fraction, because it does not separate the columns.
        marks: "." and "," as they were seen before a fraction.
    """

    rows: Iterator[list[str]]
    columns: dict[str, int]
    width: int
    decimal_comma: bool
    marks: set[str] = field(default_factory=set)

    def cell(self, row: list[str], name: str) -> str:
        return row[self.columns[name]] if name in self.columns else ""

    def number(self, row: list[str], name: str) -> float:
        """Raises ValueError."""
        value = self.cell(row, name).strip()
        if self.decimal_comma and "," in value:
            if "." in value:
                raise ValueError(f"{value!r} has a point and a comma")
            self.marks.add(",")
            value = value.replace(",", ".")
        elif "." in value:
            self.marks.add(".")
        return decimal(value)


def _table(path: Path, text: str) -> _Table:
    """The separator is the one under which the header has the columns; spreadsheets write semicolons where the comma is
    the decimal mark."""
    first = ",".join(_NEEDED[:1])
    for separator in SEPARATORS:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        header = next(rows, [])
        names = [key(cell) for cell in header]
        missing = [name for name in _NEEDED if name not in names]
        if not missing:
            twice = next((name for name in (*_NEEDED, *_LABEL) if names.count(name) > 1), None)
            if twice is not None:
                raise DatasetError(f"{path} has two columns {twice}.")
            columns = {name: place for place, name in enumerate(names)}
            return _Table(rows, columns, len(header), decimal_comma=separator != ",")
        if len(missing) < len(_NEEDED):
            first = missing[0]
    raise DatasetError(f"{path} has no column {first}: it is no CSV of ours with one row per frame.")


def _separated(text: str) -> tuple[int, str]:
    """The number of the header's row, and the text from there on: spreadsheets put ``sep=;`` before it."""
    head, _, below = text.partition("\n")
    return (2, below) if head.strip().lower() in {f"sep={mark}".strip() for mark in SEPARATORS} else (1, text)


def _row(where: str, row: list[str], table: _Table) -> tuple[tuple[str, ...], int, list[float]]:
    if len(row) != table.width:
        hint = ": is a text or a number with a separator in it without quotes?" if len(row) > table.width else "."
        raise DatasetError(f"{where} has {len(row)} cells, the header has {table.width}{hint}")
    if goes_on(row, table.columns["sentence"]):
        raise DatasetError(f"{where}: its sentence seems to go on in the next column: is a comma in it without quotes?")
    try:
        which = tuple(unguarded(table.cell(row, name)) for name in _LABEL)
        frame = whole(table.cell(row, "frame"))
        box = [table.number(row, side) for side in ("x1", "y1", "x2", "y2")]
    except ValueError as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 0 <= frame < MAX_FRAMES or box[2] < box[0] or box[3] < box[1]:
        raise DatasetError(f"{where} has an impossible frame or box.")
    return which, frame, box


def _label(path: Path, which: tuple[str, ...], found: dict[int, list[float]]) -> VideoLabel:
    values = dict(zip(_LABEL, which, strict=True))
    frames = sorted(found)
    return VideoLabel(
        values["video"], clean(values["sentence"]), clean(values["label"]), np.array(frames),
        np.array([found[frame] for frame in frames]), None,
        f"annotation {values['annotation'] or '?'} of task {values['task'] or '?'} in {path.name}",
    )  # fmt: skip
