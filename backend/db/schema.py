"""Is the database's layout the one this version needs, and how does it get there?"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import SQLAlchemyError

import migrations
from backend.db.engine import _READ_ONLY
from backend.db.errors import DatabaseError, NoDatabase
from backend.db.room import FULL, is_full, sqlite_file

UNREACHABLE = "The database cannot be reached: check STVG_DATABASE_URL and that the server runs."
_POSTGRES_LOCK = 7_345_001  # any fixed number: two upgrades at once wait for each other


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(next(iter(migrations.__path__)))))
    config.attributes["connection"] = connection
    return config


@cache
def head_revision() -> str:
    """The newest migration in this installation."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def current_revision(engine: Engine) -> str | None:
    """The migration the database is at, None before the first; :class:`DatabaseError` if it cannot be reached.

    Looking leaves no file where there is none: SQLite would make an empty database. It takes no write lock, so that it
    is answered beside whoever writes.
    """
    if _missing(engine) is not None:
        return None
    try:
        with engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
            return MigrationContext.configure(connection).get_current_revision()
    except SQLAlchemyError as error:
        raise DatabaseError(FULL if is_full(engine, error) else UNREACHABLE) from None


def check_ready(engine: Engine) -> None:
    """:class:`DatabaseError` unless the database answers and is at the newest migration."""
    missing = _missing(engine)
    if missing is not None:
        raise NoDatabase(
            f"There is no database {missing}. Is STVG_DATABASE_URL right? To make a new one, run: stvg db upgrade"
        )
    current = current_revision(engine)
    if current != head_revision():
        state = "is empty" if current is None else f"is at migration {current}, this version needs {head_revision()}"
        raise DatabaseError(f"The database {state}. Run: stvg db upgrade")


def check_writable(engine: Engine) -> None:
    """:class:`DatabaseError` where the database answers but keeps nothing. It takes no lock.

    That is a file or a folder that this process may not write, or a server that only reads.
    """
    file = sqlite_file(engine)
    if file is not None:
        # Beside the file lie its log and the index of that.
        written = os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK)
    elif engine.dialect.name == "postgresql":
        try:
            with engine.connect() as connection:
                written = connection.execute(text("SHOW transaction_read_only")).scalar_one() == "off"
        except SQLAlchemyError:
            raise DatabaseError(UNREACHABLE) from None
    else:
        written = True
    if not written:
        raise DatabaseError("The database can only be read. This service must be able to write to it.")


def is_missing_or_empty(engine: Engine) -> bool:
    """Is there no database, or one without any table? :class:`DatabaseError` if it cannot be reached."""
    if _missing(engine) is not None:
        return True
    try:
        return not inspect(engine).get_table_names()
    except SQLAlchemyError as error:
        raise DatabaseError(FULL if is_full(engine, error) else UNREACHABLE) from None


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Create or migrate the layout, with the file's folder; safe when two processes call it at once."""
    file = sqlite_file(engine)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseError(f"The folder {file.parent} cannot be made: {error.strerror}.") from None
    _migrate(engine, revision, up=True)


def downgrade(engine: Engine, revision: str) -> None:
    """Go back to an older layout ("base" drops everything)."""
    missing = _missing(engine)
    if missing is not None:
        raise NoDatabase(f"There is no database {missing}. Is STVG_DATABASE_URL right?")
    _migrate(engine, revision, up=False)


def _missing(engine: Engine) -> Path | None:
    """The database's file where it does not exist."""
    file = sqlite_file(engine)
    return None if file is None or file.exists() else file


def _migrate(engine: Engine, revision: str, *, up: bool) -> None:
    try:
        with engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _POSTGRES_LOCK})
            move = command.upgrade if up else command.downgrade
            move(_config(connection), revision)
    except SQLAlchemyError as error:
        why = FULL if is_full(engine, error) else UNREACHABLE
        raise DatabaseError(f"The migration failed: {error.__class__.__name__}. {why}") from error
