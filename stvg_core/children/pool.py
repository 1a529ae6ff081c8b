"""Which process does the next piece of work? They are few, and used again."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from stvg_core.children.child import Child

_PIECES_PER_CHILD = 200
"""A process is replaced after so many pieces of work, whatever they left in its memory."""

AnyChild = TypeVar("AnyChild", bound=Child)


class Pool(Generic[AnyChild]):
    """Processes for one program: started when they are needed, used again for the next piece of work.

    Args:
        start: starts one.
        idle: how many wait for the next piece of work at most.
    """

    def __init__(self, start: Callable[[], AnyChild], *, idle: int = 1) -> None:
        self._start, self._at_most = start, idle
        self._idle: list[AnyChild] = []
        self._lock = Lock()

    def take(self, place: str = "") -> AnyChild:
        """A process that waits, else a new one.

        Args:
            place: whom it will work for; one that has worked for another place is not used.
        """
        with self._lock:
            running = [child for child in self._idle if child.running]
            for child in self._idle:
                if child not in running:
                    child.kill()
            found = next((child for child in reversed(running) if child.place == place), None)
            self._idle = [child for child in running if child is not found]
        child = found or self._start()
        child.place = place
        return child

    def give_back(self, child: AnyChild) -> None:
        """A process that is not needed any more, in whatever state it is."""
        child.served += 1
        with self._lock:
            if child.running and child.served < _PIECES_PER_CHILD:
                self._idle.append(child)
            else:
                child.kill()
            surplus = self._idle[: -self._at_most] if self._at_most else self._idle[:]
            del self._idle[: len(surplus)]
        for other in surplus:
            other.kill()

    def close(self) -> None:
        """End the waiting processes."""
        with self._lock:
            waiting, self._idle = self._idle, []
        for child in waiting:
            child.kill()
