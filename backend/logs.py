"""How are logs written, and how do secrets stay out of them?

The formatter cleans all that is written, traceback included, so that no way of logging goes around it.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime

HIDDEN = "[hidden]"
_SHAPES = [
    re.compile(r"(?i)(\b(?:basic|bearer|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"""(?ix) ( ["']? \b (?: access_token | refresh | password | secret | api_key | x-stvg-token | authorization
        | token | signature | x-amz-signature | x-amz-credential ) ["']? \s* [:=] \s* ["']? )
        (?! \s* (?: basic | bearer | token ) \s) [^\s"',;&}]+"""
    ),
    re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+(?=@)"),
]


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the given secrets and without anything that has the shape of a credential."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(lambda match: match.group(1) + HIDDEN, text)
    return text


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines hold no secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        return self.clean(super().format(_sound(record)))

    def clean(self, text: str) -> str:
        return redact(text, self._secrets)


class JsonFormatter(RedactingFormatter):
    """One JSON object per line: time, level, logger, message, what is being worked on, and the exception as text.

    Each text is cleaned before it is written as JSON, whose escapes would hide a secret from the search for it.
    """

    def format(self, record: logging.LogRecord) -> str:
        record = _sound(record)
        moment = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": self.clean(record.getMessage()),
        }
        entry |= {name: self.clean(value) if isinstance(value, str) else value for name, value in context().items()}
        if record.exc_info:
            entry["exception"] = self.clean(self.formatException(record.exc_info))
        if record.stack_info:
            entry["stack"] = self.clean(self.formatStack(record.stack_info))
        return json.dumps(entry)


class Handler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to standard error. What cannot be written (a full disk) stops nothing, and is said when it can be."""

    def __init__(self) -> None:
        super().__init__()
        self._failed = 0

    def emit(self, record: logging.LogRecord) -> None:
        failed, self._failed = self._failed, 0
        super().emit(record)
        if failed and not self._failed:
            name, text = __name__, "the log could not be written %d times, lines may be missing"
            super().emit(logging.LogRecord(name, logging.WARNING, __file__, 0, text, (failed,), None))
        elif failed:
            self._failed += failed

    def handleError(self, record: logging.LogRecord) -> None:
        """Python's own way prints the message as it was, secrets included, between the lines of the log."""
        self._failed += 1


_of_process: dict[str, str | int] = {}
_of_work: ContextVar[dict[str, str | int] | None] = ContextVar("stvg_log_context", default=None)


def context() -> dict[str, str | int]:
    """What this thread is at: ``worker``, ``request_id``, ``job``, where there are such."""
    return _of_process | (_of_work.get() or {})


def note_process(**facts: str | int) -> None:
    """Facts for every line of this process."""
    _of_process.update(facts)


def note(**facts: str | int | None) -> None:
    """Facts for this thread's lines from now on; None takes one away."""
    kept = (_of_work.get() or {}) | {name: value for name, value in facts.items() if value is not None}
    _of_work.set({name: value for name, value in kept.items() if facts.get(name, value) is not None})


def configure_logging(level: str, secrets: Iterable[str], form: str = "text") -> None:
    """One handler on stderr for everything; HTTP clients, whose lines carry addresses, and Alembic only warn.

    Args:
        form: "text", or "json" for one object per line.
    """
    formatter = (JsonFormatter if form == "json" else RedactingFormatter)(list(secrets))
    handler = Handler()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    gunicorn = logging.getLogger("gunicorn.error")  # it keeps handlers of its own
    if gunicorn.handlers:
        gunicorn.handlers[:] = [handler]
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _sound(record: logging.LogRecord) -> logging.LogRecord:
    """The record, with its parts as they are where they do not fit each other: Python would print those uncleaned."""
    try:
        record.getMessage()
    except Exception:
        record.msg, record.args = f"{record.msg!r} {record.args!r}", None
    return record
