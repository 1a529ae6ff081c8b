"""Which database is used, and is it ready?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from backend.db import schema
from backend.db.engine import Database
from backend.db.errors import DatabaseError
from backend.settings import Settings


def open_database(settings: Settings, *, connections: int = 20) -> Database:
    """The database of the settings, with at most ``connections`` at a time; nothing is read yet."""
    return Database(settings.database_url, connections=connections)


@contextmanager
def ready_database(settings: Settings) -> Iterator[Database]:
    """The database at this version's migration; closed at the end. Raises DatabaseError where it is not ready."""
    database = open_database(settings)
    try:
        schema.check_ready(database.engine)
        yield database
    finally:
        database.close()


@contextmanager
def ready_or_new_database(settings: Settings, tell: Callable[[str], None]) -> Iterator[Database]:
    """As :func:`ready_database`; where there is no database at all, or an empty one, it is made, which ``tell`` hears.

    One at an older migration is refused: moving on somebody's rows is for a person to decide.
    """
    database = open_database(settings)
    try:
        if schema.is_missing_or_empty(database.engine):
            schema.upgrade(database.engine)
            tell(f"made a new database: {database.engine.url.render_as_string(hide_password=True)}")
        schema.check_ready(database.engine)
        yield database
    finally:
        database.close()


def find_database(settings: Settings) -> Database | None:
    """The service's database where this machine has it ready, for commands that do without; the caller closes it."""
    try:
        url = make_url(settings.database_url)
        if url.get_backend_name() == "sqlite" and not Path(url.database or "").is_file():
            return None
        database = open_database(settings)
    except (ArgumentError, DatabaseError):
        return None
    try:
        schema.check_ready(database.engine)
    except DatabaseError:
        database.close()
        return None
    return database
