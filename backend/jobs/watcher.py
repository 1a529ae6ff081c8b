"""When does a worker look whether there is something to do? One thread looks, and wakes the worker and its chores.

A look is one statement (``backend.jobs.due``). While there is work, looks come every ``poll_s``; with nothing to do
the pauses grow to ``IDLE_S``, and connections that nobody uses are closed. Work that was done is followed by a look at
once, because one chore's end is another's beginning: an answer has to be delivered, an annotation asks for a job.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.jobs.due import Due, look

logger = logging.getLogger(__name__)

IDLE_S = 1.0
"""The longest pause: so late may a question be seen that comes after a quiet time."""
SELDOM_S, _SOON_S = 10.0, 1.0
"""Between two looks at what is asked seldom, in quiet times and after work."""
_GROWTH = 1.5
_AWAY_S = 5.0


class Watcher:
    """Looks until ``stop`` is set.

    Attributes:
        wakes: what is set when something is due, by its name (``backend.jobs.due``).
    """

    def __init__(
        self,
        database: Database,
        stop: threading.Event,
        *,
        poll_s: float,
        looks: str,
        versions: Callable[[Session], Sequence[str]],
    ) -> None:
        self.wakes: dict[str, threading.Event] = {}
        self._database, self._stop, self._poll_s, self._looks = database, stop, poll_s, looks
        self._every = versions
        self._known: Sequence[str] | None = None
        self._calibrated: int | None = None
        self._again = threading.Event()
        self._seldom_at = 0.0
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def worked(self) -> None:
        """Something was done: look at once."""
        self._seldom_at = min(self._seldom_at, time.monotonic() + _SOON_S)
        self._again.set()

    def versions(self, session: Session) -> Sequence[str]:
        """The model versions that the worker can answer as, asked of the database when a calibration was adopted."""
        if self._known is None:
            self._known = self._every(session)
        return self._known

    def look(self) -> Due:
        """One look; wakes whom it concerns."""
        if self._known is None:
            with self._database.read() as session:
                self.versions(session)
        if self._connection is None:
            self._connection = self._database.looking()
        seldom = time.monotonic() >= self._seldom_at
        due = look(self._connection, self.wakes, versions=self._known, looks=self._looks, seldom=seldom)
        if seldom:
            self._seldom_at = time.monotonic() + SELDOM_S
        if due.calibrated != self._calibrated:
            self._known, self._calibrated = None, due.calibrated
        for name in due.names:
            self.wakes[name].set()
        return due

    def close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _run(self) -> None:
        pause, rested = self._poll_s, False
        while not self._stop.is_set():
            self._again.clear()
            try:
                due = self.look()
            except SQLAlchemyError as error:
                logger.error("the database does not answer (%s); waiting", type(error).__name__)
                self._forget()
                self._stop.wait(_AWAY_S)
                continue
            except Exception:  # without looks the worker would sleep for ever
                logger.exception("watcher: internal error")
                self._forget()
                self._stop.wait(_AWAY_S)
                continue
            longest = max(IDLE_S, self._poll_s)
            pause = self._poll_s if due.names else min(pause * _GROWTH, longest)
            quiet = not due.names and pause == longest
            if quiet and not rested:
                self._database.close_idle()
            rested = quiet
            if self._again.wait(pause):
                pause, rested = self._poll_s, False
        for event in self.wakes.values():  # they are to see that it is over
            event.set()
        self.close()

    def _forget(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError:
                logger.debug("the lost connection could not be closed")
