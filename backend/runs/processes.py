"""Worker processes of a run. Are they there, why did one end, and how are they stopped?

They are this program's ``stvg worker``, each in a session of its own, so that Ctrl-C in a terminal reaches the run
alone; they hold a pipe of the run and stop when that ends, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stvg_core.errors import StvgError
from stvg_core.text import printable

_TAIL = 12
_START = "import sys; from backend.cli.main import main; sys.argv[0] = 'stvg'; main()"
"""The same program in the same environment, whether or not ``stvg`` is on the path."""


class RunError(StvgError):
    """A run cannot go on: its workers end without getting anything done."""


def worker_command(*arguments: str) -> list[str]:
    """How ``stvg worker`` is started with this interpreter."""
    return [sys.executable, "-c", _START, "worker", *arguments]


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
    """

    command: Sequence[str]
    number: int
    logs: Path
    env: Mapping[str, str] = field(default_factory=dict)
    grace_s: float = 15.0
    failures: int = 3
    killed: int = 25
    restarts: int = 0
    _running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
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
            process = self._running.get(place)
            if process is not None and process.poll() is None:
                continue
            if process is not None:
                said.append(self._ended(place, process.returncode))
            self._running[place] = self._start(place)
        return said

    def stop(self) -> None:
        """SIGTERM to all, and an end by force for those that do not follow. Safe to call twice."""
        for process in self._running.values():
            process.send_signal(signal.SIGTERM)  # to it alone: its own children are its to end
        for process in self._running.values():
            try:
                process.wait(self.grace_s)
            except subprocess.TimeoutExpired:
                pass
            finally:
                self._kill(process)
        self._running.clear()

    def pids(self) -> list[int]:
        """Of those that run."""
        return [process.pid for process in self._running.values() if process.poll() is None]

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)  # and what its children left
        process.wait()
        if process.stdin is not None:
            process.stdin.close()

    def _ended(self, place: int, status: int) -> str:
        self._kill(self._running[place])
        self.restarts += 1
        what = f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"
        if status > 0:
            self._failed += 1
        elif status < 0:
            self._died += 1
        if self._failed >= self.failures * self.number or self._died >= self.killed:
            raise RunError(
                f"Worker {place} {what}, and {self._failed + self._died} in a row did so before anything was done. "
                f"The last lines of {self._log(place)}:\n{self._tail(place)}"
            )
        return f"worker {place} {what} and is started again"

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        self.logs.mkdir(parents=True, exist_ok=True)
        with self._log(place).open("ab") as log:
            try:
                return subprocess.Popen(
                    list(self.command), stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                    env={**os.environ, **self.env}, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise RunError(f"A worker cannot be started: {error.strerror}.") from None

    def _log(self, place: int) -> Path:
        return self.logs / f"worker-{place}.log"

    def _tail(self, place: int) -> str:
        try:
            lines = self._log(place).read_text(errors="replace").splitlines()
        except OSError:
            return ""
        return printable("\n".join(lines[-_TAIL:]))
