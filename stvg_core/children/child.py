"""A process that works for this one, so that work that hangs or eats memory costs that process alone."""

from __future__ import annotations

import enum
import json
import math
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from stvg_core.children.wire import Closed, Wire

Alive = Callable[[], None]
"""Called while an answer is waited for, and with each answer. It may raise, to stop the work."""
Moved = Callable[[dict[str, Any]], None]
"""Hears each word of the process that it moves on. It may raise, to stop the work."""

_TICK_S = 0.25
_OUR_SETTINGS = "STVG_"


@dataclass(frozen=True)
class ChildLimits:
    """What one process may take.

    Attributes:
        seconds: without an answer, and without a word that it moves on towards one.
        memory_bytes: of address space; 0 sets no limit.
        in_all_s: seconds for one answer, also where it moves on.
    """

    seconds: float
    memory_bytes: int = 0
    in_all_s: float = math.inf


class Why(enum.Enum):
    """Why is a process gone, or had to go?"""

    SILENT = "it did not answer, nor say that it moves on"
    SLOW = "it moved on, but needed too long in all"
    STUCK = "it closed its end, and did not end"
    PROCESSOR = "it needed the processor for too long"
    KILLED = "the system ended it"
    CRASHED = "it crashed"
    MEMORY = "it needed more memory than it may"


class Child(ABC):
    """One process. Use it from one thread at a time.

    Args:
        program: the module that it runs, with a :class:`stvg_core.children.serving.Serving`.
        settings: what it is told when it starts. Everybody on this machine can read them.
        files: open files that it gets.
        closing: called when the process was ended.

    Attributes:
        served: how many pieces of work it has had.
        place: what it worked for last; see :meth:`stvg_core.children.pool.Pool.take`.
    """

    name = "working"
    """What it does, for a person: "decoding"."""

    def __init__(
        self, program: str, limits: ChildLimits, settings: Mapping[str, Any] = MappingProxyType({}), *,
        files: Sequence[int] = (), closing: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        self._limits = limits
        self.served, self.place = 0, ""
        ours, its = socket.socketpair()
        with its:
            told = {"socket": its.fileno(), "seconds": limits.seconds, "memory_bytes": limits.memory_bytes, **settings}
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", program, json.dumps(told)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=_environment(),
                pass_fds=(its.fileno(), *files),
            )  # fmt: skip
        self._wire = Wire(ours)
        self._end = weakref.finalize(self, _end, self._process, self._wire, closing)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._end.alive and self._process.poll() is None

    @abstractmethod
    def gone(self, why: Why, at: str, how: str = "") -> Exception:
        """What is raised where the process is gone, or has to go.

        Args:
            at: what it was asked for.
            how: it crashed: "SIGSEGV", "exit code 1".
        """

    @abstractmethod
    def refused(self, answer: dict[str, Any]) -> Exception:
        """What is raised for an answer with an ``error`` that belongs to the work."""

    def ask(
        self, request: dict[str, Any], at: str, alive: Alive | None = None, *, moved: Moved = lambda word: None,
        file: int | None = None,
    ) -> Iterator[dict[str, Any]]:  # fmt: skip
        """The answers as they come; the last one has ``last``.

        The process is killed where an answer does not come, where ``alive`` or ``moved`` raises, or where the answers
        are not read to their end: it would go on with work that nobody waits for.

        Args:
            at: what is asked for, for a person: "frame 3 of a.mp4".
            file: an open file that the process gets with it.

        Raises:
            Exception: of :meth:`gone` or :meth:`refused`.
            RuntimeError: a defect in the process.
        """
        ended = False
        try:
            self._send(request, at, file)
            while not ended:
                answer = self._receive(at, alive, moved)
                ended = bool(answer.get("last"))
                if answer.get("spent"):  # something goes on in it that cannot be stopped otherwise
                    self.kill()
                self._check(answer, at)
                yield answer
        finally:
            if not ended:
                self.kill()

    def last(
        self, request: dict[str, Any], at: str, alive: Alive | None = None, *, moved: Moved = lambda word: None,
        file: int | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        """The one answer to what has one. Rest as of :meth:`ask`."""
        [answer] = self.ask(request, at, alive, moved=moved, file=file)
        return answer

    def tell(self, message: dict[str, Any], at: str) -> None:
        """Say something while an answer is waited for, because the process asked for it. Raises as :meth:`ask`."""
        self._send(message, at)

    def kill(self) -> None:
        """End the process at once; it can be called twice."""
        self._end()

    def _send(self, request: dict[str, Any], at: str, file: int | None = None) -> None:
        try:
            self._wire.send(request, file)
        except Closed:
            raise self._ended(at) from None

    def _receive(self, at: str, alive: Alive | None, hear: Moved) -> dict[str, Any]:
        end = time.monotonic() + self._limits.in_all_s
        until, moved = self._deadline(), False
        while True:
            left = min(until, end) - time.monotonic()
            try:
                answer = self._wire.receive(max(0.001, min(left, _TICK_S)))
            except Closed:
                raise self._ended(at) from None
            if alive is not None:
                alive()
            if answer is None and left > 0:
                continue
            if answer is not None and not answer.get("moves_on"):
                return answer
            if answer is not None:
                hear(answer)
                moved, until = True, self._deadline()
                if time.monotonic() < end:
                    continue
            raise self.gone(Why.SLOW if moved and end <= until else Why.SILENT, at)

    def _deadline(self) -> float:
        """Until when the next word of the process is waited for from now on, in ``time.monotonic`` seconds."""
        return time.monotonic() + self._limits.seconds

    def _check(self, answer: dict[str, Any], at: str) -> None:
        error = answer.get("error")
        if error is None:
            return
        if error == "memory":
            self.kill()  # what it holds may be incomplete
            raise self.gone(Why.MEMORY, at)
        if error == "defect":
            self.kill()
            raise RuntimeError(f"the {self.name} process failed at {at}:\n{answer['text']}")
        raise self.refused(answer)

    def _ended(self, at: str) -> Exception:
        try:
            code = self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            return self.gone(Why.STUCK, at)
        if code == -signal.SIGXCPU:
            return self.gone(Why.PROCESSOR, at)
        if code in (-signal.SIGKILL, -signal.SIGABRT):
            return self.gone(Why.KILLED, at)
        how = f"exit code {code}"
        with suppress(ValueError):
            how = signal.Signals(-code).name if code < 0 else how
        return self.gone(Why.CRASHED, at, how)


def _end(process: subprocess.Popen[bytes], wire: Wire, closing: Callable[[], None]) -> None:
    process.kill()
    process.wait()
    wire.close()
    closing()


def _environment() -> dict[str, str]:
    """Ours without the settings, which hold secrets, and with what this process has found its modules by."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_OUR_SETTINGS)}
    # Threads of libraries that are not used there, and an arena of memory for each of theirs, would only take address
    # space.
    return kept | {
        "PYTHONPATH": os.pathsep.join(part or str(Path.cwd()) for part in sys.path),
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"    }  # fmt: skip
