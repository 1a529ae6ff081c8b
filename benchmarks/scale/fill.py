"""A database of N tasks at migration 0006, from which every version can be upgraded; made once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import JSON, Connection, Engine, MetaData, Table, text

from backend.db import schema
from backend.db.engine import open_engine
from benchmarks.scale import content
from benchmarks.scale.places import PREFIX, Place
from benchmarks.scale.regions import LABEL_CONFIG

REVISION = "0006"
TABLES = ("project", "video", "task", "prediction", "job", "delivery", "annotation", "diff", "review")
"""In the order in which they refer to each other."""

_LAYOUT = 2
"""Of the rows; a higher one makes kept databases anew."""
_BATCH = 1000


def name_of(tasks: int, model_version: str) -> str:
    """The database's name: the predictions in it belong to one model version."""
    return f"{PREFIX}{tasks}_{hashlib.sha256(f'{_LAYOUT} {model_version}'.encode()).hexdigest()[:8]}"


def filled(place: Place, tasks: int, model_version: str) -> str:
    """The name of the filled database, made where it is not there yet."""
    name = name_of(tasks, model_version)
    if place.exists(name):
        return name
    part = f"{name}_part"
    place.create(part)
    engine = open_engine(place.url(part))
    schema.upgrade(engine, REVISION)
    tables = _reflect(engine)
    with engine.begin() as connection:
        _insert(connection, tables["project"], [_project()])
        for first in range(1, tasks + 1, _BATCH):
            _fill(connection, tables, range(first, min(first + _BATCH, tasks + 1)), model_version)
        if engine.dialect.name == "postgresql":
            _count_on(connection, tables)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # as the server does by itself, sooner or later
    engine.dispose()
    place.rename(part, name)
    return name


def _fill(connection: Connection, tables: dict[str, Table], numbers: range, model_version: str) -> None:
    found: dict[str, list[content.Row]] = {name: [] for name in TABLES}
    found["video"] = list(_videos(numbers))
    for number in numbers:
        for name, row in content.rows(number, model_version):
            found[name].append(row)
    for name in TABLES:
        _insert(connection, tables[name], found[name])


def _videos(numbers: range) -> Iterator[content.Row]:
    """Those whose first task is among the numbers."""
    for number in numbers:
        if (number - 1) % content.TASKS_PER_VIDEO == 0:
            yield content.video_row(content.task(number).video)


def _insert(connection: Connection, table: Table, rows: list[content.Row]) -> None:
    if not rows:
        return
    if connection.dialect.name == "sqlite":  # it keeps moments without their time zone, which is UTC
        rows = [{key: _naive(value) for key, value in row.items()} for row in rows]
    connection.execute(table.insert(), rows)


def _naive(value: object) -> object:
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def _reflect(engine: Engine) -> dict[str, Table]:
    """The tables as the migration made them; None in a JSON column is NULL, as the program has it."""
    metadata = MetaData()
    metadata.reflect(engine, only=TABLES)
    for table in metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, JSON):
                column.type.none_as_null = True
    return dict(metadata.tables)


def _count_on(connection: Connection, tables: dict[str, Table]) -> None:
    """New rows get numbers behind those that were given here."""
    for name in TABLES[1:]:
        highest = f"(SELECT max(id) FROM {tables[name].name})"
        connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), {highest})"))


def _project() -> content.Row:
    return {
        "id": content.PROJECT, "label_config": LABEL_CONFIG, "hostname": None, "created_at": content.BEGAN,
        "updated_at": content.BEGAN,
    }  # fmt: skip
