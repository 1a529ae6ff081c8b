"""May this request use the database? Only while it is at the migration that this version needs.

A database that somebody migrates below a running service would be written in the old layout: an event would be kept
where nobody reads it. So every request asks first, and the answer is believed for a short while.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask, Response, request
from sqlalchemy import Engine

from backend.db import schema
from backend.db.errors import DatabaseError, NoDatabase
from backend.http.errors import answer

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
    app.extensions["stvg_layout"] = layout

    @app.before_request
    def check() -> Response | None:
        if request.endpoint is None or request.endpoint in _WITHOUT:
            return None
        said = layout.problem()
        return None if said is None else answer(said, 503)
