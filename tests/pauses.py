"""What a loaded machine does to a test, on purpose: `pytest --pauses 7 tests/jobs`.

On a machine with more to do than it can, a thread or a process stands still for a second between any two lines. Here it
does so at the lines that matter: around transactions, requests, waits and starts, and child processes are stopped
(SIGSTOP) and go on. A test whose verdict changes with the seed depends on how fast the machine is.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil

from backend.db.engine import Database

SHARE = 0.04
"""Of the places where a thread may stand still."""
LENGTHS_S = (0.02, 0.2, 0.7, 1.6)
_REST_S = 1.5
_sleep = time.sleep


class Pauses:
    """Draws the pauses; where they fall also depends on the threads, so a seed repeats them only nearly."""

    def __init__(self, seed: int) -> None:
        self._chance, self._lock = random.Random(seed), threading.Lock()
        self._over = False

    def here(self) -> None:
        """Perhaps stand still."""
        with self._lock:
            seconds = self._chance.choice(LENGTHS_S) if self._chance.random() < SHARE else 0.0
        if seconds and not self._over:
            _sleep(seconds)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def slowed(*args: Any, **kwargs: Any) -> Any:
            self.here()
            answer = function(*args, **kwargs)
            self.here()
            return answer

        return slowed

    def opened(self, manager: Callable[..., Any]) -> Callable[..., Any]:
        """The same for a context manager: also before it is left."""

        @contextlib.contextmanager
        def slowed(*args: Any, **kwargs: Any) -> Iterator[Any]:
            self.here()
            with manager(*args, **kwargs) as value:
                yield value
                self.here()
            self.here()

        return slowed

    def stop_children(self) -> None:
        """Now and then one of this process's children stands still."""
        me = psutil.Process()
        while not self._over:
            _sleep(_REST_S)
            children = me.children(recursive=True)
            if not children:
                continue
            with self._lock:
                child, seconds = self._chance.choice(children), self._chance.choice(LENGTHS_S)
            with contextlib.suppress(psutil.Error):
                child.send_signal(signal.SIGSTOP)
                _sleep(seconds)
                child.send_signal(signal.SIGCONT)


def begin(seed: int) -> None:
    """From now on everything stands still now and then."""
    pauses = Pauses(seed)
    for owner, name, how in (
        (Database, "read", pauses.opened), (Database, "write", pauses.opened),
        (httpx.Client, "send", pauses.around), (threading.Event, "wait", pauses.around),
        (threading.Thread, "start", pauses.around), (subprocess.Popen, "wait", pauses.around),
        (subprocess.Popen, "__init__", pauses.around), (os, "kill", pauses.around), (time, "sleep", pauses.around),
    ):  # fmt: skip
        setattr(owner, name, how(getattr(owner, name)))
    threading.Thread(target=pauses.stop_children, daemon=True).start()
