"""What one measurement gets: a version of the program and a fresh copy of the filled database at its migration."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from benchmarks.scale import content
from benchmarks.scale.client import protocol_headers
from benchmarks.scale.fill import filled
from benchmarks.scale.places import Place
from benchmarks.scale.programs import PASSWORD, USER, Code, Ran

PROTOCOL = protocol_headers(USER, PASSWORD)
_UPGRADE_S = 3600.0


@dataclass(frozen=True)
class Target:
    """A copy of the database, ``code`` set up for it, and how long a measurement may take.

    Attributes:
        seconds: of sending webhooks, and of watching an idle worker.
        limit: seconds after which a command is stopped.
        requests: how many single requests are timed.
    """

    code: Code
    place: Place
    database: str
    tasks: int
    model_version: str
    folder: Path
    seconds: float
    limit: float
    requests: int

    def sql(self, statement: str) -> Sequence[Any]:
        """The rows of one question to the copy, asked from outside of the program."""
        engine = create_engine(self.place.url(self.database), poolclass=NullPool)
        with engine.connect() as connection:
            return connection.execute(text(statement)).all()

    def count(self, table: str, where: str = "1 = 1") -> int:
        return int(self.sql(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def settles_at(self, table: str, wanted: int, *, patience: float = 60.0) -> int:
        """The number of rows once it is what is wanted, or after so many seconds: a late webhook is not a lost one."""
        deadline = time.monotonic() + patience
        while (found := self.count(table)) != wanted and time.monotonic() < deadline:
            time.sleep(0.2)
        return found

    def files(self, videos: set[int]) -> Path:
        """The folder that holds these videos' files, which a worker reads."""
        root = self.folder / "videos"
        for video in videos:
            file = root / content.video_name(video)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content.video_bytes(video))
        return root


@dataclass
class Prepared:
    """The filled database brought to the migration of one code, once per run."""

    code: Code
    place: Place
    database: str
    tasks: int
    model_version: str
    upgrade: Ran

    @contextmanager
    def fresh(self, folder: Path, *, seconds: float, limit: float, requests: int) -> Iterator[Target]:
        """A copy of its own for one measurement; dropped afterwards."""
        name = f"{self.database}_run"
        self.place.copy(self.database, name)
        code = self.code.with_env(STVG_DATABASE_URL=self.place.url(name), STVG_DATA_DIR=str(folder / "data"))
        try:
            yield Target(code, self.place, name, self.tasks, self.model_version, folder, seconds, limit, requests)
        finally:
            self.place.drop(name)

    def drop(self) -> None:
        self.place.drop(self.database)


def prepare(code: Code, place: Place, tasks: int) -> tuple[Prepared, float]:
    """Fill (or find) the database and upgrade a copy of it with the code; and the seconds that filling took."""
    version = code.model_version()
    began = time.monotonic()
    source = filled(place, tasks, version)
    filling = time.monotonic() - began
    name = f"{source}_{code.name}"
    place.copy(source, name)
    ready = code.with_env(STVG_DATABASE_URL=place.url(name))
    upgrade = ready.run(["db", "upgrade"], limit=_UPGRADE_S).check()
    return Prepared(code, place, name, tasks, version, upgrade), filling
