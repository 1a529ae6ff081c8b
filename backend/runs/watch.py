"""How far is a run? Only the rows know: they are counted until nothing waits, however many machines work on them."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event
from typing import Protocol

from sqlalchemy.exc import SQLAlchemyError

from backend.db import jobs, runs
from backend.db.engine import Database

logger = logging.getLogger(__name__)

_SHARE = 20
"""Counting takes at most one part in so many of the time."""


class Workers(Protocol):
    """Who does the work. ``restarts``: how many workers took the place of one that ended too early."""

    restarts: int

    def ensure(self, *, progressed: bool) -> list[str]:
        """Start those that are missing; sentences about those that ended."""
        ...

    def stop(self) -> None: ...


@dataclass(frozen=True)
class Standing:
    """How far a run is at one moment.

    Attributes:
        done, failed, cancelled, waiting, running: sentences.
        elapsed_s: since the run began.
        rate: sentences ended in one second since the first one was begun; None before one has ended.
        left_s: how long the rest takes at that rate.
    """

    done: int
    failed: int
    cancelled: int
    waiting: int
    running: int
    elapsed_s: float
    rate: float | None = None
    left_s: float | None = None

    @property
    def total(self) -> int:
        return self.ended + self.open

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.cancelled

    @property
    def open(self) -> int:
        return self.waiting + self.running


@dataclass
class Watch:
    """Counts the rows of one project and one model version.

    Attributes:
        stop: set by a signal.
        show: gets every count.
        tell: gets what must be said of workers.
        look_s: between two counts, at least.
    """

    database: Database
    project_id: int
    version: str
    stop: Event
    show: Callable[[Standing], None] = lambda standing: None
    tell: Callable[[str], None] = lambda said: None
    look_s: float = 1.0
    _began: float = field(default_factory=time.monotonic)
    _first: int | None = None
    _working: float | None = None

    def until_done(self, workers: Workers) -> Standing:
        """Keep the workers up until nothing is waiting or in hand, or ``stop`` is set; they are stopped at the end.

        Raises:
            RunError: the workers end without getting anything done.
            DatabaseError: never: a database that is away is waited for.
        """
        before = -1
        last = Standing(0, 0, 0, 0, 0, 0.0)
        try:
            while not self.stop.is_set():
                pause = self.look_s
                try:
                    began = time.monotonic()
                    last = self.count()
                    pause = max(pause, _SHARE * (time.monotonic() - began))
                except SQLAlchemyError as error:
                    self.tell(f"the database does not answer ({type(error).__name__}); waiting")
                    self.stop.wait(5 * self.look_s)
                    continue
                self.show(last)
                if not last.open or self.stop.is_set():
                    break
                for said in workers.ensure(progressed=last.ended != before):
                    self.tell(said)
                before = last.ended
                self.stop.wait(pause)
        finally:
            workers.stop()
        return last

    def count(self) -> Standing:
        """How far it is now."""
        with self.database.read() as session:
            found = runs.counts(session, self.project_id, self.version)
        names = (jobs.DONE, jobs.FAILED, jobs.CANCELLED, jobs.QUEUED, jobs.RUNNING)
        done, failed, cancelled, waiting, running = (found.get(name, 0) for name in names)
        ended = done + failed + cancelled
        if self._first is None:
            self._first = ended
        at, new = time.monotonic(), ended - self._first
        if self._working is None and (running or new):
            self._working = at  # loading the model is no part of the rate
        worked = 0.0 if self._working is None else at - self._working
        rate = new / worked if new > 0 and worked > 0 else None
        left = None if rate is None else (waiting + running) / rate
        return Standing(done, failed, cancelled, waiting, running, at - self._began, rate, left)
