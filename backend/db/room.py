"""Is the disk full on which the database lies? An SQLite file shares it with whatever else is written there."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

ROOM = 4 << 20
"""Bytes that are left free for the database: a transaction, its log, and what is written meanwhile."""
FULL = "The disk of the database is full: nothing is stored until some space is freed on it."

_POSTGRES_FULL = "53100"


def sqlite_file(engine: Engine) -> Path | None:
    """The file that the engine opens, and would make by opening it; None of another kind of database."""
    name = engine.url.database if engine.dialect.name == "sqlite" else None
    return None if not name or name.startswith("file:") else Path(name)


def is_short(engine: Engine) -> bool:
    """Has the disk of an SQLite file less than :data:`ROOM` left? False of other databases: theirs is not seen here."""
    file = sqlite_file(engine)
    if file is None:
        return False
    try:
        disk = os.statvfs(file.parent)
    except OSError:
        return False
    return disk.f_bavail * disk.f_frsize < ROOM


def is_full(engine: Engine, error: SQLAlchemyError) -> bool:
    """Did this fail because the database's disk is full?"""
    cause = getattr(error, "orig", None)
    code = getattr(cause, "sqlite_errorcode", None)
    if code is None:
        return getattr(cause, "sqlstate", None) == _POSTGRES_FULL
    # The files beside the database cannot grow either; SQLite has no word of its own for that.
    return code & 0xFF == sqlite3.SQLITE_FULL or (
        code & 0xFF in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and is_short(engine)
    )
