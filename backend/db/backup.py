"""How is an SQLite database copied while the service writes to it?

The copy is one moment of the database: SQLite copies it as a reader sees it, and readers and writers do not wait for
each other. Copying the file with other tools would miss what still lies in the write-ahead file.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine

from backend.db import schema
from backend.db.errors import DatabaseError
from backend.db.room import sqlite_file

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def back_up(engine: Engine, target: Path) -> int:
    """Copy the database into a new file, which is checked before it gets its name; its size in bytes.

    Raises:
        DatabaseError: not SQLite, not ready, the file is there already or cannot be written, or the copy is not whole.
    """
    source = sqlite_file(engine)
    if source is None:
        raise DatabaseError("Only SQLite is copied by this command. PostgreSQL has its own: pg_dump --format=custom")
    schema.check_ready(engine)
    if target.exists():
        raise DatabaseError(f"{target} is there already; name a new file.")
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        _copy(source, part)
        _check(part)
        _name(part, target)
    except FileExistsError:
        raise DatabaseError(f"{target} is there already; name a new file.") from None
    except (OSError, sqlite3.Error) as error:
        raise DatabaseError(f"{target} cannot be written: {error}.") from None
    finally:
        part.unlink(missing_ok=True)
    return target.stat().st_size


def _copy(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(target)) as writer:
        reader.backup(writer)
        writer.execute("PRAGMA journal_mode=DELETE")  # one file; the service goes back to two when it opens it
    descriptor = os.open(target, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _name(part: Path, target: Path) -> None:
    """Unlike a rename, a link never replaces a file that somebody made meanwhile; not every file system has links."""
    try:
        os.link(part, target)
    except OSError as error:
        if error.errno not in _NO_LINKS or target.exists():
            raise
        part.rename(target)


def _check(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as reader:
        [found] = reader.execute("PRAGMA integrity_check(1)").fetchone()
    if found != "ok":
        raise DatabaseError(f"The copy is not whole ({found}). Is the database's disk sound?")
