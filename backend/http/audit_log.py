"""Which acts of the audit log does an address ask for, and how do they leave as CSV?"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from werkzeug.datastructures import MultiDict

from backend.db import audits
from backend.db.audits import Acts
from backend.db.engine import Database
from backend.db.tables import Audit
from backend.db.types import plain
from backend.http.address_values import read_days, read_stored
from stvg_core.datasets.frames_csv import guarded

MOST = 100_000
"""Rows of a CSV file; for older ones, choose days."""
FIELDS = ("who", "act", "from", "to")
COLUMNS = ("when", "who", "role", "what", "about", "details", "from")

_PAGE = 1000


def read(asked: MultiDict[str, str]) -> Acts:
    """``?who=ann&act=export&from=2026-01-01&to=2026-01-31``; raises FilterError."""
    first, last = read_days(asked)
    return Acts(read_stored(asked, "who"), read_stored(asked, "act"), first, last)


def given(asked: MultiDict[str, str]) -> dict[str, str]:
    """The filter's fields as they stand in the address."""
    return {name: plain(asked.get(name, "")) for name in FIELDS}


def lines(database: Database, chosen: Acts) -> Iterator[str]:
    """The CSV file, newest first, some hundred rows at a time: no transaction stays open while somebody downloads.

    The first piece is there before anything of the file is needed, so that an error can still be said.
    """
    head = [",".join(COLUMNS) + "\r\n"]
    before: int | None = None
    left = MOST
    while True:
        with database.read() as session:
            rows = audits.newest(session, min(_PAGE, left), before, chosen)
            text = _written(rows)
        yield "".join([*head, text])
        head, left = [], left - len(rows)
        if len(rows) < _PAGE or left <= 0:
            return
        before = rows[-1].id


def in_words(detail: dict[str, Any]) -> str:
    """``labels: 3; filters: project 1, accepted only``."""
    filled = {name: value for name, value in detail.items() if value not in (None, "", [], {})}
    texts = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in filled.items()}
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _written(rows: Any) -> str:
    """No cell is a formula to a spreadsheet: what begins like one has an apostrophe in front."""
    file = io.StringIO()
    writer = csv.writer(file)
    for row in rows:
        writer.writerow([row.at.isoformat(timespec="seconds"), *(guarded(text or "") for text in _texts(row))])
    return file.getvalue()


def _texts(row: Audit) -> tuple[str | None, ...]:
    return row.who, row.role, row.action, row.target, in_words(row.detail), row.address
