"""CSV with one row per frame on which a box is on, as our export writes it; frames from 0, corners in pixels.

A spreadsheet takes a text that begins with ``=`` and the like for a formula. Such texts have an apostrophe in front,
which :func:`unguarded` takes off again.
"""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import numpy as np

from stvg_core.datasets.base import MAX_FRAMES, DatasetError, VideoLabel, load_text, take_or_raise
from stvg_core.text import clean

_NEEDED = ("video", "sentence", "frame", "x1", "y1", "x2", "y2")
_LABEL = ("video", "project", "task", "annotation", "label", "sentence")
"""Rows that agree on these are of one label."""

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
    rows = csv.reader(io.StringIO(load_text(path, encoding=encoding, keep_line_ends=True), newline=""), strict=True)
    boxes: dict[tuple[str, ...], dict[int, list[float]]] = {}
    doubled: dict[tuple[str, ...], str] = {}
    try:
        columns = {name: place for place, name in enumerate(next(rows, []))}
        if missing := [name for name in _NEEDED if name not in columns]:
            raise DatasetError(f"{path} has no column {missing[0]}: it is no CSV of ours with one row per frame.")
        for number, row in enumerate(rows, start=2):
            if not row:
                continue
            try:
                which, frame, box = _row(f"{path}, row {number}", row, columns)
            except DatasetError as error:
                take_or_raise(error, bad)
                continue
            if frame in boxes.setdefault(which, {}):
                doubled.setdefault(which, f"{path}, row {number}: a second box on frame {frame} of one label.")
            boxes[which][frame] = box
    except csv.Error as error:
        raise DatasetError(f"{path} is no CSV file ({error}).") from error
    for which, reason in doubled.items():
        take_or_raise(DatasetError(reason), bad)
        del boxes[which]
    return [_label(path, which, found) for which, found in boxes.items()]


def _row(where: str, row: list[str], columns: dict[str, int]) -> tuple[tuple[str, ...], int, list[float]]:
    try:
        which = tuple(unguarded(row[columns[name]]) if name in columns else "" for name in _LABEL)
        frame = int(row[columns["frame"]])
        box = [float(row[columns[side]]) for side in ("x1", "y1", "x2", "y2")]
    except (IndexError, ValueError) as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 0 <= frame < MAX_FRAMES or not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
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
