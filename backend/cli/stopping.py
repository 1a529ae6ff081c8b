"""How does a long command end when it is asked to? Cleanly at the first signal, at once at the second."""

from __future__ import annotations

import _thread
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

    Attributes:
        said: what is left undone where Stopped is raised now, in a sentence; kept up to date by who does the work.
    """

    def __init__(self, said: str = "stopped") -> None:
        self.event = threading.Event()
        self.said = said
        self._number, self._gentle, self._asked = signal.SIGINT, False, False
        self._before: dict[int, Any] = {}

    @property
    def asked(self) -> bool:
        """Did a signal come?"""
        return self._asked

    @property
    def status(self) -> int:
        """The exit status that says which signal it was: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + int(self._number)

    def wait_for_loops(self, said: str) -> None:
        """From now on somebody looks at ``event``; ``said`` is for the second signal."""
        self.said, self._gentle = said, True

    def check(self) -> None:
        """Raise Stopped where a signal came: for threads, in which signals raise nothing."""
        if self._asked:
            raise Stopped

    def __enter__(self) -> Stopping:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._come)
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _come(self, number: int, frame: FrameType | None) -> None:
        again, self._asked = self._asked, True
        self._number = signal.Signals(number)
        # In a thread: the main one may be inside of the event's wait() at this moment, and would wait for itself.
        _thread.start_new_thread(self.event.set, ())
        if again or not self._gentle:
            raise Stopped
