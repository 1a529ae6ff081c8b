"""Where do the databases lie that are filled, copied and measured? One class per kind, with the same few methods."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Protocol

from sqlalchemy import URL, create_engine, make_url, text

SERVER = os.environ.get("STVG_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres")
PREFIX = "stvg_scale_"


class Place(Protocol):
    """Databases of one kind, by name. A name that ends in ``_part`` is not whole yet."""

    kind: str

    def url(self, name: str) -> str: ...
    def exists(self, name: str) -> bool: ...
    def create(self, name: str) -> None: ...
    def copy(self, source: str, name: str) -> None: ...
    def rename(self, name: str, wanted: str) -> None: ...
    def drop(self, name: str) -> None: ...
    def size(self, name: str) -> int: ...


class Files:
    """SQLite files in one folder."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def url(self, name: str) -> str:
        return f"sqlite:///{self._file(name)}"

    def exists(self, name: str) -> bool:
        return self._file(name).exists()

    def create(self, name: str) -> None:
        self.drop(name)

    def copy(self, source: str, name: str) -> None:
        self.drop(name)
        shutil.copyfile(self._file(source), self._file(name))
        log = self._file(source).with_name(self._file(source).name + "-wal")
        if log.exists():  # written there by a program that was killed
            shutil.copyfile(log, self._file(name).with_name(self._file(name).name + "-wal"))

    def rename(self, name: str, wanted: str) -> None:
        self._file(name).rename(self._file(wanted))

    def drop(self, name: str) -> None:
        for end in ("", "-wal", "-shm"):
            self._file(name).with_name(self._file(name).name + end).unlink(missing_ok=True)

    def size(self, name: str) -> int:
        return self._file(name).stat().st_size

    def _file(self, name: str) -> Path:
        return self._folder / f"{name}.sqlite3"


class Server:
    """Databases of a PostgreSQL server; a copy is made with TEMPLATE."""

    kind = "postgresql"

    def __init__(self, server: str = SERVER) -> None:
        self._url: URL = make_url(server)
        self._engine = create_engine(server, isolation_level="AUTOCOMMIT", connect_args={"connect_timeout": 10})

    def url(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    def exists(self, name: str) -> bool:
        with self._engine.connect() as connection:
            query = text("SELECT 1 FROM pg_database WHERE datname = :name")
            return connection.scalar(query, {"name": name}) is not None

    def create(self, name: str) -> None:
        self.drop(name)
        self._run(f"CREATE DATABASE {name}")

    def copy(self, source: str, name: str) -> None:
        self.drop(name)
        self._end_connections(source)
        self._run(f"CREATE DATABASE {name} TEMPLATE {source}")

    def rename(self, name: str, wanted: str) -> None:
        self._end_connections(name)
        self._run(f"ALTER DATABASE {name} RENAME TO {wanted}")

    def drop(self, name: str) -> None:
        self._run(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def size(self, name: str) -> int:
        with self._engine.connect() as connection:
            return int(connection.scalar(text("SELECT pg_database_size(:name)"), {"name": name}) or 0)

    def _end_connections(self, name: str) -> None:
        """Of our own databases only: a program that was killed may have left one open."""
        assert name.startswith(PREFIX)
        self._run(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")

    def _run(self, statement: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(text(statement))


def place(kind: str, folder: Path) -> Place:
    """The place of a kind, ``sqlite`` (files in the folder) or ``postgresql`` (``STVG_TEST_POSTGRES_URL``)."""
    return Server() if kind == "postgresql" else Files(folder)
