"""Does another run do the same at this moment, or did one end so lately that what it asked for may still happen?

A row of the database is held while a run lasts. One that was killed holds it until its lease runs out, and so does one
whose last request got no answer: the server may go on with it, unseen, for a while.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from backend.db import chores
from backend.db.engine import Database
from backend.db.tables import Chore
from backend.jobs.renewing import renewing
from stvg_core.errors import StvgError

LEASE_S = 60.0
_LONGEST_S = 7 * 86400.0
_GROWTH, _LONGEST_PAUSE_S = 1.5, 3.0


class TurnError(StvgError):
    """Another run has the turn by now: this one was not heard of for too long."""


@dataclass
class Turn:
    """One run at a time does what ``name`` stands for.

    Attributes:
        seconds: a run is gone that was not heard of for so long, and whatever it had asked for is done.
        tell: gets what must be said while one waits.
        look_s: between the first two looks at whether the turn has come; the pauses grow.
    """

    database: Database
    name: str
    seconds: float = LEASE_S
    tell: Callable[[str], None] = lambda said: None
    look_s: float = 0.2
    _chore: Chore | None = None
    _keep: bool = field(default=False, init=False)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the turn, and have it within the block."""
        chore = self._chore = self._wait()
        held = renewing(self.database, Chore, chore.id, chore.leased_by or "", seconds=self.seconds, most_s=_LONGEST_S)
        with held:
            try:
                yield
            finally:
                if not self._keep:
                    with self.database.write() as session:
                        chores.rest(session, chore, seconds=0.0)

    def check(self) -> None:
        """Raise TurnError where another run has the turn by now."""
        assert self._chore is not None, "within taken()"
        with self.database.write() as session:
            if not chores.renew(session, self._chore, seconds=self.seconds):
                raise TurnError("Another run does the same by now, because this one stood still for too long.")

    def keep(self) -> None:
        """The turn is not over at the end of the block, but when its lease runs out."""
        self._keep = True

    def _wait(self) -> Chore:
        told, pause = False, self.look_s
        while (chore := self._take()) is None:
            if not told:
                told = True
                self.tell(
                    "another run does the same, or was cut off a moment ago: waiting until it has ended, or was not "
                    f"heard of for {self.seconds:.0f} s"
                )
            time.sleep(pause)
            pause = min(pause * _GROWTH, max(_LONGEST_PAUSE_S, self.look_s))
        return chore

    def _take(self) -> Chore | None:
        """A look that finds it taken writes nothing."""
        with self.database.read() as session:
            if not chores.due(session, self.name):
                return None
        with self.database.write() as session:
            return chores.take(session, self.name, f"{socket.gethostname()}-{os.getpid()}", seconds=self.seconds)
