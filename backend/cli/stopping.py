"""How does a long command end when it is asked to? Cleanly at the first signal, at once at the second."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stopped(BaseException):
    """Ctrl-C or SIGTERM came at a moment when nothing has to be tidied up first."""


class Stopping:
    """Minds SIGINT and SIGTERM while the block lasts.

    At first a signal raises :class:`Stopped`. After :meth:`wait_for_loops` the first one only sets ``event``, and the
    second one raises.
    """

    def __init__(self) -> None:
        self.event = threading.Event()
        self._number, self._gentle = signal.SIGINT, False
        self._before: dict[int, Any] = {}

    @property
    def status(self) -> int:
        """The exit status that says which signal it was: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + int(self._number)

    def wait_for_loops(self) -> None:
        """From now on somebody looks at ``event``."""
        self._gentle = True

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        again = self.event.is_set()
        self._number = signal.Signals(number)
        self.event.set()
        if again or not self._gentle:
            raise Stopped
