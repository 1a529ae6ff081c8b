"""How is the database opened, and how does one read and write it?

SQLite runs in write-ahead mode with a busy timeout; a writing transaction takes the write lock at its start
(``BEGIN IMMEDIATE``): one that reads first and writes later fails at once when another wrote in between.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from sqlalchemy import (
    Connection,
    CursorResult,
    Engine,
    ExceptionContext,
    Row,
    Update,
    create_engine,
    event,
    inspect,
    make_url,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import Session

from backend.db.errors import DatabaseError
from backend.db.room import is_short
from backend.db.tables import Base

BUSY_SECONDS = 15
CHUNK = 500
"""Rows per statement: databases limit how many values one may have."""

TURN = 100
"""Rows per short transaction: some 10 ms of work on one core."""

_REST_S = 0.1
_PATIENCE = {
    "connect_timeout": 5, "keepalives_idle": 15, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}  # fmt: skip
"""A server whose machine is gone without a word is away after half a minute; the system's own limit is two hours."""
_ONLY_READS = "25006"  # PostgreSQL's number of it
_READ_ONLY, _NO_BEGIN = "stvg_read_only", "stvg_no_begin"

Item = TypeVar("Item")


def open_engine(url: str, *, connections: int = 20) -> Engine:
    """An engine for ``sqlite:///file`` or ``postgresql+psycopg://...``; :class:`DatabaseError` for anything else.

    Args:
        connections: so many stay open to PostgreSQL while nothing is asked; more are opened when they are needed.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise DatabaseError("STVG_DATABASE_URL is not a database URL. Example: sqlite:///stvg.sqlite3") from None
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        more = {"pool_size": connections, "max_overflow": 30 - min(connections, 20)}
        engine = create_engine(parsed, pool_pre_ping=True, connect_args=_PATIENCE, **more)
        event.listen(engine, "handle_error", _for_now)
        return engine
    if parsed.get_backend_name() != "sqlite":
        raise DatabaseError(f"Databases are SQLite or PostgreSQL, not {parsed.get_backend_name()}.")
    if parsed.database in (None, "", ":memory:"):
        raise DatabaseError("An in-memory SQLite database cannot be shared by the processes: name a file.")
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS})
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, record: object) -> None:
    connection.isolation_level = None  # the driver must not open transactions by its own rules
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", f"busy_timeout={BUSY_SECONDS * 1000}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get(_NO_BEGIN, False):
        connection.exec_driver_sql("BEGIN" if options.get(_READ_ONLY, False) else "BEGIN IMMEDIATE")


def _for_now(context: ExceptionContext) -> None:
    """A server that only reads (a standby, or one that is being moved) refuses for now, like one that is away."""
    if getattr(context.original_exception, "sqlstate", None) == _ONLY_READS:
        raise OperationalError(context.statement, None, context.original_exception)


class Database:
    """The open database: ``with db.read() as session`` or ``with db.write() as session`` (commits at the end).

    Attributes:
        make_room: called before something is written where its disk is short of room; it may remove what can be had
            again.
    """

    def __init__(self, url: str, *, connections: int = 20) -> None:
        self.engine = open_engine(url, connections=connections)
        self._reader = self.engine.execution_options(**{_READ_ONLY: True})
        # SQLite is left without any transaction here; its driver would forget our settings by another level.
        alone = {"isolation_level": "AUTOCOMMIT"} if self.engine.dialect.name == "postgresql" else {_NO_BEGIN: True}
        self.make_room: Callable[[], object] = lambda: None
        self._looker = self.engine.execution_options(**alone)

    @contextmanager
    def read(self) -> Iterator[Session]:
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        self.keep_room()
        with Session(self.engine, expire_on_commit=False) as session, session.begin():
            yield session

    def keep_room(self) -> None:
        """Before the disk is full: what failed then would be lost, or done again."""
        if is_short(self.engine):
            self.make_room()

    def write_in_turns(self, items: Sequence[Item], work: Callable[[Session, Sequence[Item]], None]) -> None:
        """Write many rows in transactions of at most :data:`TURN`, and rest as long as each took.

        SQLite has one writer at a time, and those that wait look again after pauses: one that went on at once would be
        met by none of them. Elsewhere, too, the other threads of this process come to their turn meanwhile.
        """
        for first in range(0, len(items), TURN):
            with self.write() as session:
                began = time.monotonic()
                work(session, items[first : first + TURN])
            if first + TURN < len(items):
                rest(began)

    def looking(self) -> Connection:
        """A connection on which each SELECT stands alone, outside of any transaction; the caller closes it."""
        return self._looker.connect()

    def close_idle(self) -> None:
        """Close the connections to PostgreSQL that nobody uses at this moment: the server has a limit of them."""
        if self.engine.dialect.name == "postgresql":
            self.engine.dispose()

    def close(self) -> None:
        self.engine.dispose()


def rest(began: float) -> None:
    """Let others come to their turn, for as long as the work since ``began`` (``time.monotonic``) took at most."""
    time.sleep(min(time.monotonic() - began, _REST_S))


def insert_once(session: Session, table: type[Base], unique: str | list[str] | None, **values: Any) -> bool:
    """Insert a row unless one with the same ``unique`` columns exists. True if this call inserted it.

    Args:
        unique: None for a table whose only conflict is a unique index over some of its rows.
    """
    columns = [unique] if isinstance(unique, str) else unique
    dialect = session.get_bind().dialect.name
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(table).values(**values).on_conflict_do_nothing(index_elements=columns)
    identifier = inspect(table).primary_key[0]
    return session.execute(statement.returning(identifier)).first() is not None


def changed(session: Session, statement: Update) -> bool:
    """Run an UPDATE; True if it met any row."""
    result = session.execute(statement)
    assert isinstance(result, CursorResult)
    return bool(result.rowcount > 0)


def chunks(items: Iterable[Item]) -> Iterator[Sequence[Item]]:
    """At most :data:`CHUNK` at a time, in their order."""
    found = list(items)
    for first in range(0, len(found), CHUNK):
        yield found[first : first + CHUNK]


def insert_missing(
    session: Session, table: type[Base], rows: Sequence[Mapping[str, Any]], *returning: Any
) -> Sequence[Row[Any]]:
    """Insert rows in their order in one statement, without those that conflict with another; these columns of the new.

    Args:
        rows: at most :data:`CHUNK`, all with the same keys.
    """
    if not rows:
        return []
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    statement = insert(table).on_conflict_do_nothing().returning(*returning)
    return session.execute(statement, [dict(row) for row in rows]).all()


def expire(session: Session, table: type[Any], numbers: Iterable[int]) -> None:
    """What the session holds of these rows is read again when it is looked at: a statement has changed them."""
    wanted = frozenset(numbers)
    for row in list(session.identity_map.values()) if wanted else ():
        if isinstance(row, table) and (inspect(row).identity or (None,))[0] in wanted:
            session.expire(row)
