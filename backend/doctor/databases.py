"""Does the database answer, is it at the right migration, and does its clock agree with this machine's?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import text

from backend import bootstrap
from backend.db import schema
from backend.db.errors import DatabaseError
from backend.db.room import sqlite_file
from backend.db.types import now
from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation

ABOUT, CLOCK = "database", "clock"
_KINDS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
_SHARE = 3
"""A clock that is wrong by a third of a lease makes two workers hold one job."""


def check(installation: Installation) -> Iterator[Finding]:
    """Does the database answer, and is it at this version's migration?"""
    try:
        database = bootstrap.open_database(installation.settings)
    except DatabaseError as error:
        yield fail(ABOUT, str(error), "Set STVG_DATABASE_URL.")
        return
    try:
        schema.check_ready(database.engine)
        schema.check_writable(database.engine)
        kind = _KINDS[database.engine.dialect.name]
        file = sqlite_file(database.engine)
        where = f"in {file}" if file is not None else f"on {database.engine.url.host}"
        yield ok(ABOUT, f"{kind} {where} is at migration {schema.head_revision()}.")
    except DatabaseError as error:
        said, _, mend = str(error).partition(". ")
        if "stvg db upgrade" in mend:
            yield fail(ABOUT, f"{said}.", mend)
        else:
            yield fail(ABOUT, str(error), "Start it, or mend the address.")
    finally:
        database.close()


def check_clock(installation: Installation) -> Iterator[Finding]:
    """How far the database's clock is from this machine's; SQLite has none of its own."""
    if installation.database is None:
        return
    if installation.database.engine.dialect.name == "sqlite":
        yield ok(CLOCK, "SQLite goes by this machine's clock.")
        return
    with installation.database.read() as session:
        before = now()
        theirs = session.execute(text("SELECT clock_timestamp()")).scalar_one()
        after = now()
    yield judge_clock(theirs, before, after, installation.settings.lease_seconds)


def judge_clock(theirs: datetime, before: datetime, after: datetime, lease_s: float) -> Finding:
    """The database said ``theirs`` some time between ``before`` and ``after``."""
    away = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    said = f"The database's clock and this machine's differ by {away:.1f} s."
    mend = "Let both machines set their clocks by NTP."
    if away >= lease_s / _SHARE:
        return fail(CLOCK, said, mend)
    return warn(CLOCK, said, mend) if away >= 1.0 else ok(CLOCK, said)
