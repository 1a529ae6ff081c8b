"""How is a call given up that may never come back? It runs in a thread, and the clock is looked at meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeVar

from backend.media.errors import MediaUnavailable

Alive = Callable[[], None]
"""Called several times a second while a video is fetched. It may raise, to give up."""

_Found = TypeVar("_Found")
_TICK_S = 0.25


class Patience:
    """The time for one transfer.

    Args:
        seconds: for all of it.
        alive: called with each look at the clock; what it raises ends the transfer.
        name: of what is fetched, for messages.
    """

    def __init__(self, seconds: float, alive: Alive | None, name: str) -> None:
        self._seconds, self._until, self._alive, self._name = seconds, time.monotonic() + seconds, alive, name

    def within(self, call: Callable[[], _Found]) -> _Found:
        """What ``call`` returns or raises.

        A call that is given up ends by itself, in a thread of its own.

        Raises:
            MediaUnavailable: the time is over.
        """
        answers: SimpleQueue[tuple[_Found | None, BaseException | None]] = SimpleQueue()

        def work() -> None:
            try:
                answers.put((call(), None))
            except BaseException as error:
                answers.put((None, error))

        self._look()
        Thread(target=work, name="cloud", daemon=True).start()
        while True:
            try:
                found, error = answers.get(timeout=_TICK_S)
            except Empty:
                self._look()
                continue
            if error is not None:
                raise error
            self._look()
            return found  # type: ignore[return-value]

    def _look(self) -> None:
        if self._alive is not None:
            self._alive()
        if time.monotonic() > self._until:
            raise MediaUnavailable(f"{self._name} was not complete after {self._seconds:g} s.")
