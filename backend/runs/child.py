"""One worker process of a run, on this machine. How is it started, asked to end, and what did it say last?

It is this program's ``stvg worker`` in a session of its own, so that Ctrl-C in a terminal reaches the run alone. Its
standard input is a socket of its parent: it ends its job and goes when a line comes from there, and stops at once when
the socket ends, however its parent ended. Through it the worker says that its model is loaded.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.processes import own_command
from stvg_core.errors import StvgError
from stvg_core.text import printable

LEAVE, LOADED = b"leave\n", b"loaded\n"
"""What is said through the socket: by the run, and by the worker."""
_TAIL = 12
_TAIL_BYTES = 1 << 16


class RunError(StvgError):
    """A run cannot go on: its workers end without getting anything done."""


def worker_command(*arguments: str) -> list[str]:
    """How ``stvg worker`` is started with this interpreter."""
    return own_command("worker", *arguments)


class Child:
    """A started process.

    Args:
        env: all of its environment.
        log: file that its output is added to.

    Raises:
        RunError: it cannot be started.
    """

    def __init__(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> None:
        self.log, self._loaded = log, False
        self._line, theirs = socket.socketpair()
        try:
            with theirs:
                log.parent.mkdir(parents=True, exist_ok=True)
                with log.open("ab") as file:
                    self.process = subprocess.Popen(
                        list(command), stdin=theirs.fileno(), stdout=file, stderr=subprocess.STDOUT, env=dict(env),
                        start_new_session=True,
                    )  # fmt: skip
        except OSError as error:
            self._line.close()
            where = f" ({error.filename})" if error.filename else ""
            raise RunError(f"A worker cannot be started: {error.strerror}{where}.") from None

    @property
    def name(self) -> str:
        """What the worker calls itself, in the leases too."""
        return worker_name(self.process.pid)

    def leave(self) -> None:
        """Ask it to end after its job. It may be gone already."""
        with contextlib.suppress(OSError):
            self._line.sendall(LEAVE)

    def loaded(self, wait_s: float | None = 0.0) -> bool:
        """Has it loaded its model? Waits for that, but not beyond its end; None: for as long as it takes."""
        while not self._loaded:
            try:
                if not select.select([self._line], [], [], wait_s)[0] or not (said := self._line.recv(1024)):
                    break
            except (OSError, ValueError):  # tidied up meanwhile
                break
            self._loaded = LOADED in said
        return self._loaded

    def ask(self) -> None:
        """SIGTERM: it puts its job back. To it alone: its own children are its to end."""
        self.process.send_signal(signal.SIGTERM)

    def end(self, grace_s: float) -> None:
        """Wait for its end, and end it by force after ``grace_s``: its jobs are taken when their leases run out."""
        try:
            self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass
        finally:
            self.tidy()

    def tidy(self) -> None:
        """End what is left of it, its children too."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._line.close()

    def tail(self) -> str:
        """The last lines of its log; empty where it cannot be read."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return ""
        return printable("\n".join(lines[-_TAIL:]))


def worker_name(pid: int) -> str:
    """The name of a worker of this machine."""
    return f"{socket.gethostname()}:{pid}"[:100]


def how_it_ended(status: int) -> str:
    """For a sentence about a process that ended."""
    return f"was ended by signal {-status}" if status < 0 else f"ended with status {status}"


def did_not_load(seconds: float) -> str:
    """For a sentence about a process that hangs at its start."""
    return f"had not loaded its model after {seconds:g} s (STVG_LOAD_SECONDS), so it was ended"
