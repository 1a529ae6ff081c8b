"""The child's side: answers what its parent asks for within its limits, and ends with it.

Memory and the processor's time without an answer are limited here, by the system; how long an answer may take is looked
at by the parent.
"""

from __future__ import annotations

import errno
import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NoReturn

from stvg_core.children.wire import Closed, Wire

_NEAR = 256 << 20


def begin() -> dict[str, Any]:
    """To be called first by the program of a child. Returns what its parent told it."""
    told: dict[str, Any] = json.loads(sys.argv[1])
    for number in (signal.SIGINT, signal.SIGTERM):  # may come to a whole group: for the parent, which ends this process
        signal.signal(number, signal.SIG_IGN)
    _limit(resource.RLIMIT_CORE, 0)
    with suppress(OSError):  # where the machine runs out of memory, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000")
    return told


class Serving(ABC):
    """Answers requests: one that has NAME under ``do`` with what the method ``do_NAME`` returns.

    Args:
        told: of :func:`begin`.
    """

    near_bytes = _NEAR
    """Work that failed so near to the limit of memory may have failed for lack of it."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._wire = Wire(socket.socket(fileno=told["socket"]), takes_files=True)
        self._seconds, self._memory_bytes = float(told["seconds"]), int(told["memory_bytes"])
        self._waiting: SimpleQueue[dict[str, Any]] = SimpleQueue()

    @abstractmethod
    def expected(self, error: Exception) -> dict[str, Any] | None:
        """The answer for an error that belongs to the work, its kind under ``error``; None for a defect."""

    def lacks_memory(self, error: Exception) -> bool:
        """May it have been raised for lack of memory? Libraries fail in many ways then."""
        return self.short_of_memory() or (isinstance(error, OSError) and error.errno == errno.ENOMEM)

    def spent(self) -> bool:
        """Must this process not be used for another request?"""
        return False

    def working(self) -> AbstractContextManager[None]:
        """What surrounds the work on a request."""
        return nullcontext()

    def run(self) -> NoReturn:
        """Answer until the parent is gone."""
        if self._memory_bytes:
            _limit(resource.RLIMIT_AS, self._memory_bytes)
        threading.Thread(target=self._listen, daemon=True).start()
        while True:
            self._answer(self._waiting.get())

    def moves_on(self, **facts: Any) -> None:
        """Say so to the parent, which waits as long again."""
        self.tell({"moves_on": True, **facts})

    def tell(self, message: dict[str, Any]) -> None:
        """Something before the last answer, which is waited for as long again."""
        self._send(message)
        self._give_time()

    def next_message(self) -> dict[str, Any]:
        """What the parent says while a request is worked on."""
        return self._waiting.get()

    def short_of_memory(self) -> bool:
        """Has this process been near to its limit?"""
        if not self._memory_bytes:
            return False
        try:
            status = Path("/proc/self/status").read_text()
        except OSError:
            return False
        peak = next((int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmPeak")), 0)
        return peak > self._memory_bytes - self.near_bytes

    def _answer(self, asked: dict[str, Any]) -> None:
        """One request's answers; what cannot be done is an answer too."""
        self._give_time()
        try:
            with self.working():
                reply: dict[str, Any] = getattr(self, f"do_{asked['do']}")(asked)
        except MemoryError:
            reply = {"error": "memory"}
        except Exception as error:
            if self.lacks_memory(error):
                reply = {"error": "memory"}
            else:
                reply = self.expected(error) or {"error": "defect", "text": traceback.format_exc()}
        self._send(reply | {"last": True, "spent": self.spent()})

    def _listen(self) -> None:
        """Ends the process when the parent is gone, also in the middle of an answer."""
        try:
            while (message := self._wire.receive()) is not None:
                self._waiting.put(message)
        except Closed:
            os._exit(0)

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._wire.send(message)
        except Closed:
            os._exit(0)

    def _give_time(self) -> None:
        """The processor's time for the next answer, over all threads: ends a process whose parent cannot end it."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        more = self._seconds * (os.cpu_count() or 1) + 1
        _limit(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + more) + 1)


def _limit(which: int, value: int) -> None:
    hard = resource.getrlimit(which)[1]
    with suppress(ValueError, OSError):  # a system without this limit
        resource.setrlimit(which, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))
