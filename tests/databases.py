"""Both databases, migrated and empty, for any test that asks for ``database``."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Table, create_engine, make_url, text
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from backend.db import schema
from backend.db.engine import Database
from backend.db.tables import Base

SERVER = os.environ.get("STVG_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
HOW = (
    "NO POSTGRESQL SERVER answers at STVG_TEST_POSTGRES_URL "
    f"({make_url(SERVER).render_as_string(hide_password=True)}). "
    "Nothing was tested on it. Start one: docker run -d -p 5432:5432 "
    "-e POSTGRES_HOST_AUTH_METHOD=trust postgres:16"
)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A migrated PostgreSQL database of this run's own; dropped at the end."""
    name = f"stvg_test_{os.getpid()}"
    server = create_engine(SERVER, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 60})
    try:
        with server.connect() as connection:
            connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
            connection.execute(text(f"CREATE DATABASE {name}"))
            # Nothing here has to outlive the machine: no test waits for the disk.
            connection.execute(text(f"ALTER DATABASE {name} SET synchronous_commit TO off"))
    except OperationalError:
        pytest.skip(HOW)
    url = make_url(SERVER).set(database=name).render_as_string(hide_password=False)
    database = Database(url)
    schema.upgrade(database.engine)
    database.close()
    yield url
    with server.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
    server.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy: quicker than migrating for each test."""
    path = tmp_path_factory.mktemp("template") / "empty.sqlite3"
    database = Database(f"sqlite:///{path}")
    schema.upgrade(database.engine)
    database.close()  # the last connection writes everything into the one file
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a migrated, empty SQLite database."""
    path = tmp_path / "stvg.sqlite3"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


def _numbered(table: Table) -> bool:
    return "id" in table.columns and table.columns["id"].autoincrement is not False


# One statement for the server: asking it forty times for each test takes longer than most tests.
_EMPTY = "; ".join(
    [f"DELETE FROM {table.name}" for table in reversed(Base.metadata.sorted_tables)]
    + [
        f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 1, false)"
        for table in Base.metadata.sorted_tables
        if _numbered(table)
    ]
)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a migrated, empty database, of one kind and of the other."""
    if request.param == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    url: str = request.getfixturevalue("postgres_url")
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(_EMPTY)
    return url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """For tests of what the two kinds do differently: locks, conflicts, types."""
    opened = Database(database_url)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_database(sqlite_url: str) -> Iterator[Database]:
    """For tests to which the kind of database means nothing."""
    opened = Database(sqlite_url)
    yield opened
    opened.close()
