"""Child processes that never outlive this one. Is it still running, what did it say last, and how is it stopped?

Each child leads a process group of its own, so that its own children (gunicorn's workers, a decoder) end with it. Three
nets catch every way out: ``stop()`` in a ``finally``, an ``atexit`` hook, and on Linux the kernel's parent-death signal
for the case that this process is killed outright. That signal belongs to the thread that starts the child: start
children from the main thread.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType

from stvg_core.errors import StvgError

_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


_START = "import sys; from backend.cli.main import main; sys.argv[0] = 'stvg'; main()"


class ProcessError(StvgError):
    """A program could not be started, ended too early, or never became ready."""


def own_command(*arguments: str) -> list[str]:
    """How ``stvg`` with these arguments is started as a process of this installation, whatever is on the path.

    ``-P`` keeps the current folder off the module path: a folder named ``backend`` there is somebody else's.
    """
    return [sys.executable, "-P", "-c", _START, *arguments]


def free_port() -> int:
    """A TCP port on loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _die_with(parent: int) -> Callable[[], None]:
    """What a child does before it becomes its program, so that it hears SIGTERM when ``parent`` is gone."""

    def ask_for_it() -> None:
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:  # gone before the kernel was asked: it will not tell
                os._exit(1)

    return ask_for_it


class Child:
    """One program with its log file.

    Args:
        name: what people call it ("web", "worker", "Label Studio").
        command: the program and its arguments.
        log: file that receives stdout and stderr; appended to, so that a restart keeps the earlier lines.
        env: added to this process's environment.
        cwd: where it runs.
    """

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, env: Mapping[str, str], cwd: Path | None = None
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.env = dict(env)
        self.cwd = cwd
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def status(self) -> int | None:
        """How its last run ended, negative for a signal; None while it runs, and before it was started."""
        return None if self._process is None else self._process.poll()

    @property
    def group_alive(self) -> bool:
        """Whether anything of its process group runs, its children included."""
        if self._process is None:
            return False
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True

    def start(self) -> None:
        """Raises: ProcessError when the program does not exist."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **self.env},
                    cwd=self.cwd,
                    start_new_session=True,
                    preexec_fn=_die_with(os.getpid()),
                )
            except OSError as error:
                raise ProcessError(f"{self.name} cannot be started: {self.command[0]}: {error.strerror}.") from None
        atexit.register(self.stop)

    def stop(self, grace_s: float = 10.0) -> None:
        """End the whole process group: politely first, by force after ``grace_s``. Safe to call twice."""
        atexit.unregister(self.stop)
        if self._process is None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(grace_s)
        # A child of the child may have outlived it; the group's number stays valid while any member lives.
        self._signal(signal.SIGKILL)
        self._process.wait()

    def ask(self) -> None:
        """SIGTERM to it alone: its own children are its to end."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; whether it has ended."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            if self._process is not None:
                self._process.wait(seconds)
        return not self.alive

    def kill(self) -> None:
        """End it as a power cut would."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def tail(self, lines: int = 15) -> str:
        """The last lines it wrote."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def wait_until(self, ready: Callable[[], bool], timeout_s: float) -> float:
        """Wait until ``ready()``; returns the seconds it took.

        Raises: ProcessError when the child ends first or the time is over, with the last lines of its log.
        """
        started = time.monotonic()
        while not ready():
            waited = time.monotonic() - started
            if not self.alive:
                raise ProcessError(
                    f"{self.name} ended before it was ready. Its last lines ({self.log}):\n{self.tail()}"
                )
            if waited > timeout_s:
                raise ProcessError(
                    f"{self.name} was not ready after {timeout_s:.0f} s. Its last lines ({self.log}):\n{self.tail()}"
                )
            time.sleep(0.25)
        return time.monotonic() - started

    def wait_for_success(self, timeout_s: float) -> None:
        """Wait until it ends by itself.

        Raises: ProcessError when it ends with another status than 0, or not in time (then it is stopped).
        """
        assert self._process is not None
        try:
            status = self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.stop()
            raise ProcessError(f"{self.name} did not end within {timeout_s:.0f} s ({self.log}).") from None
        atexit.unregister(self.stop)
        if status != 0:
            raise ProcessError(f"{self.name} failed with status {status}. Its last lines ({self.log}):\n{self.tail()}")


def stop_all(children: Sequence[Child], grace_s: float) -> None:
    """End them side by side: politely first, all that is left of them by force after ``grace_s`` or at an exception."""
    until = time.monotonic() + grace_s
    try:
        for child in children:
            child.ask()
        for child in children:
            child.wait(max(0.0, until - time.monotonic()))
    finally:
        for child in children:
            child.stop(0.0)


@contextlib.contextmanager
def alone(lock: Path, otherwise: str) -> Iterator[None]:
    """Within the block no other process of this machine has the same lock file.

    Raises:
        ProcessError: one has it; with the sentence ``otherwise``.
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ProcessError(otherwise) from None
        yield


def exit_on_signals() -> None:
    """Turn SIGTERM and SIGHUP into SystemExit, so that ``finally`` blocks and ``atexit`` hooks run; mind Ctrl-C too.

    A shell that starts a command in the background has told it to ignore Ctrl-C; stopping must work there as well. A
    SIGHUP that is ignored stays so: that is what ``nohup`` asks for.
    """

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, leave)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, leave)
