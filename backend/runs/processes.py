"""Worker processes of a run on this machine. Are they there, why did one end, and how are they stopped?"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from backend.runs.child import Child, RunError, did_not_load, how_it_ended


@dataclass
class WorkerProcesses:
    """So many workers, started again when they end too early.

    Attributes:
        command: the program and its arguments.
        number: how many there should be.
        logs: folder of their log files, one each.
        env: added to this process's environment.
        grace_s: after SIGTERM, before they are killed: their jobs are taken again when the leases run out.
        failures: ends with an error, one after the other, without anything being done in between; ``killed``: by a
            signal. So many are too many: an error at the start repeats itself, a killed worker may be bad luck.
        load_s: a worker that has not loaded its model after so long hangs: it is ended, which is an error at the start.
    """

    command: Sequence[str]
    number: int
    logs: Path
    env: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 15.0
    failures: int = 3
    killed: int = 25
    load_s: float = 1800.0
    clock: Callable[[], float] = time.monotonic
    restarts: int = 0
    _running: dict[int, Child] = field(default_factory=dict)
    _since: dict[int, float] = field(default_factory=dict)
    _failed: int = 0
    _died: int = 0

    def ensure(self, *, progressed: bool) -> list[str]:
        """Start those that are missing; what is to be said of those that ended.

        Args:
            progressed: was anything done since the last call?

        Raises:
            RunError: they end again and again, and nothing gets done.
        """
        if progressed:
            self._failed = self._died = 0
        said = []
        for place in range(1, self.number + 1):
            child = self._running.get(place)
            status = None if child is None else child.process.poll()
            if child is not None and status is None:
                if child.loaded() or self.clock() - self._since[place] <= self.load_s:
                    continue
                child.tidy()  # it has taken nothing yet
                said.append(self._ended(place, child, 1, did_not_load(self.load_s)))
            if child is not None and status is not None:
                said.append(self._ended(place, child, status, how_it_ended(status)))
            self._since[place] = self.clock()
            self._running[place] = Child(
                self.command, {**os.environ, **self.env}, self.logs / f"worker-{place}.log"
            )  # fmt: skip
        return said

    def stop(self) -> None:
        """SIGTERM to all, and an end by force for those that do not follow. Safe to call twice."""
        for child in self._running.values():
            child.ask()
        for child in self._running.values():
            child.end(self.grace_s)
        self._running.clear()

    def pids(self) -> list[int]:
        """Of those that run."""
        return [child.process.pid for child in self._running.values() if child.process.poll() is None]

    def _ended(self, place: int, child: Child, status: int, what: str) -> str:
        child.tidy()
        self.restarts += 1
        if status > 0:
            self._failed += 1
        elif status < 0:
            self._died += 1
        if self._failed >= self.failures * self.number or self._died >= self.killed:
            raise RunError(
                f"Worker {place} {what}, and {self._failed + self._died} in a row did so before anything was done. "
                f"The last lines of {child.log}:\n{child.tail()}"
            )
        return f"worker {place} {what} and is started again"
