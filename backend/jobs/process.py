"""What runs in one worker process: the grounding, and its chores beside it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from backend.db import runs
from backend.jobs import due
from backend.jobs.corrections import Training, read_events
from backend.jobs.delivering import Outbox
from backend.jobs.rereading import reread
from backend.jobs.ticker import OnCall, Ticker
from backend.jobs.watcher import Watcher
from backend.jobs.worker import Worker
from backend.review import disagreement


@dataclass
class WorkerProcess:
    """A worker with its chores: reading events, pushing predictions and decisions, comparing with Label Studio.

    ``chores`` are called when ``watcher`` sees that they are due, or every so often.
    """

    worker: Worker
    outbox: Outbox | None
    watcher: Watcher
    chores: list[OnCall | Ticker]
    training: Training
    calibrate: Callable[[], int]

    def run(self) -> None:
        """Work until :meth:`stop` is called."""
        wake = threading.Event()
        self.watcher.wakes = {due.JOBS: wake} | {one.name: one.wake for one in self.chores if isinstance(one, OnCall)}

        def idle() -> None:
            wake.wait()
            wake.clear()

        tell = self.worker.ended

        def ended(outcome: str) -> None:
            tell(outcome)
            self.watcher.worked()

        self.worker.idle, self.worker.ended, self.worker.versions = idle, ended, self.watcher.versions
        for thread in (self.watcher, *self.chores):
            thread.start()
        self.worker.run()
        for thread in (self.watcher, *self.chores):
            thread.join(5.0)

    def run_project(self) -> None:
        """Work on the jobs of the worker's one project until none is waiting or in hand, then push what is due."""
        project_id = self.worker.project_id
        assert project_id is not None

        def ended() -> bool:
            with self.worker.database.read() as session:
                return not runs.unfinished(session, project_id, self.worker.versions(session))

        pushing = [one for one in self.chores if isinstance(one, OnCall) and one.name == due.OUTBOX and project_id > 0]
        self.watcher.wakes = {one.name: one.wake for one in pushing}
        threads: list[Watcher | OnCall] = [self.watcher, *pushing] if pushing else []
        for thread in threads:
            thread.start()
        self.worker.run(until=ended)
        if pushing and self.outbox is not None and not self.worker.stop.is_set():
            self.outbox.send_due()
        self.stop()
        for thread in threads:
            thread.join(5.0)

    def drain(self) -> int:
        """Do all that is due now, without threads, or what can be done until :meth:`stop`; returns how many jobs were
        taken.
        """
        taken = self.worker.drain()
        self._in_turn(lambda: read_events(self.worker.database, self.training), lambda: reread(self.worker.database))
        taken += self.worker.drain()  # what the annotations want
        self._in_turn(lambda: disagreement.record_due(self.worker.database), self.calibrate)
        if self.outbox is not None:
            self._in_turn(self.outbox.send_due)
        return taken

    def _in_turn(self, *chores: Callable[[], object]) -> None:
        for chore in chores:
            if not self.worker.stop.is_set():
                chore()

    def stop(self) -> None:
        self.worker.stop.set()
