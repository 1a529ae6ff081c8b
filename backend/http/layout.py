"""May this request use the database? Only while it is at the migration that this version needs.

A database that somebody migrates below a running service would be written in the old layout: an event would be kept
where nobody reads it. So every request asks first, and the answer is believed for a short while.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread

from flask import Flask, Response, request
from sqlalchemy import Engine

from backend.db import schema
from backend.db.errors import DatabaseError, NoDatabase
from backend.http.errors import answer

ANSWERS_S = 6.0
"""A database that has not said how it is after so long is away; above the time for a new connection."""
BELIEVED_S = 2.0
"""So long a good answer is believed; a bad one is asked again with each request."""

_WITHOUT = frozenset({"health.health", "health.ready", "health.index", "metrics.metrics", "openapi.openapi", "static"})
"""These say themselves how the database is, or do without."""


class Layout:
    """Asks the database for its migration, at most once in :data:`BELIEVED_S` seconds while it is right."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock = engine, clock
        self._good_until: float | None = None

    def problem(self) -> str | None:
        """Why the database cannot be used, in a sentence; None where it can."""
        if self._good_until is not None and self._clock() < self._good_until:
            return None
        self._good_until = None
        said = problem(self._engine)
        if said is None:
            self._good_until = self._clock() + BELIEVED_S
        return said


class Answer:
    """What the database says of itself now, or that it says nothing: a server may hang and keep its connections.

    One thread asks at a time, however many want to know; one that hangs is waited for by nobody.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, Lock()
        self._asking: Future[str | None] | None = None

    def problem(self) -> str | None:
        """As :func:`problem`, after :data:`ANSWERS_S` at the latest."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = Future()
                Thread(target=self._ask, args=(self._asking,), name="is the database there", daemon=True).start()
            asking = self._asking
        try:
            return asking.result(ANSWERS_S)
        except TimeoutError:
            return "The database does not answer."

    def _ask(self, asking: Future[str | None]) -> None:
        try:
            asking.set_result(problem(self._engine))
        except Exception as error:
            asking.set_exception(error)


def problem(engine: Engine) -> str | None:
    """The same, asked now. Strangers read it, so no file is named."""
    try:
        schema.check_ready(engine)
        schema.check_writable(engine)
    except NoDatabase:
        return "There is no database yet. Run: stvg db upgrade"
    except DatabaseError as error:
        return str(error)
    return None


def install(app: Flask, engine: Engine) -> None:
    """Answer 503 where the database cannot be used. To be installed after the check of who is asking."""
    layout = Layout(engine)
    app.extensions["stvg_layout"], app.extensions["stvg_answer"] = layout, Answer(engine)

    @app.before_request
    def check() -> Response | None:
        if request.endpoint is None or request.endpoint in _WITHOUT:
            return None
        said = layout.problem()
        return None if said is None else answer(said, 503)
