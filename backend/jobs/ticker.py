"""How do small chores run beside the grounding, again and again, without ever stopping it?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class Ticker:
    """Calls a chore every ``seconds`` in a thread; a chore that fails is logged and called again."""

    def __init__(self, name: str, chore: Callable[[], object], seconds: float, stop: threading.Event) -> None:
        self.name, self._chore, self._seconds, self._stop = name, chore, seconds, stop
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            attempt(self.name, self._chore)
            self._stop.wait(self._seconds)


class OnCall:
    """Calls a chore in a thread whenever ``wake`` is set; one that fails is logged, and waits for the next call.

    Args:
        worked: called after a run that did something, because that may make more to do.
    """

    def __init__(
        self, name: str, chore: Callable[[], object], stop: threading.Event, worked: Callable[[], None]
    ) -> None:
        self.name, self.wake, self._chore, self._stop, self._worked = name, threading.Event(), chore, stop, worked
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout: float | None = None) -> None:
        self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            self.wake.wait()
            if self._stop.is_set():
                return
            self.wake.clear()
            if attempt(self.name, self._chore):
                self._worked()


def attempt(name: str, chore: Callable[[], object]) -> bool:
    """Run a chore; True where it did something. What goes wrong goes into the log."""
    try:
        return bool(chore())
    except StvgError as error:
        logger.warning("%s: %s", name, error)
    except Exception:
        logger.exception("%s: internal error", name)
    return False
