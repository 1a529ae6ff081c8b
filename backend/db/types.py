"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeDecorator, TypeEngine


class Json(TypeDecorator[Any]):
    """JSON of what a database can hold: NaN and infinities become null, NUL characters go."""

    impl = JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(
            JSONB(none_as_null=True) if dialect.name == "postgresql" else JSON(none_as_null=True)
        )

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return clean_json(value)


def clean_json(value: Any) -> Any:
    """A copy of ``value`` without numbers and characters that PostgreSQL's JSON refuses."""
    if isinstance(value, str):
        return plain(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(str(key)): clean_json(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [clean_json(entry) for entry in value]
    return value


def plain(text: str) -> str:
    """Text without NUL characters and lone surrogates, which PostgreSQL cannot store."""
    if text.isascii() and "\x00" not in text:
        return text
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def now() -> datetime:
    """The present moment, with its time zone (UTC)."""
    return datetime.now(UTC)


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC. SQLite has no time zones: there it is stored without and given back with UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
