"""How often may somebody guess? Failed log-ins are counted per name and per address.

The counts live in this process's memory: they are gone after a restart, and two web processes count by themselves.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock

WINDOW_S = 15 * 60.0
PER_NAME, PER_ADDRESS = 10, 40
"""So many failures within the window; an address may be a whole office."""

_REMEMBERED = 10_000


class Throttle:
    """Counts attempts when they begin, so that many at once are no way around; a right password takes its own back."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._attempts: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def begin(self, name: str, address: str) -> float:
        """Count an attempt; returns 0, or the seconds to wait where there were too many (then it is not counted)."""
        with self._lock:
            now = self._clock()
            limits = ((_name(name), PER_NAME), (("address", address), PER_ADDRESS))
            waits = [self._wait(key, limit, now) for key, limit in limits]
            if not any(waits):
                for key, _ in limits:
                    self._attempts.setdefault(key, deque()).append(now)
                    self._attempts.move_to_end(key)
                while len(self._attempts) > _REMEMBERED:
                    self._attempts.popitem(last=False)
            return max(waits)

    def forgive(self, name: str, address: str) -> None:
        """The password was right: the name's failures are forgotten, the address keeps those before."""
        with self._lock:
            self._attempts.pop(_name(name), None)
            of_address = self._attempts.get(("address", address))
            if of_address:
                of_address.pop()

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        times = self._attempts.get(key, deque())
        while times and times[0] <= now - WINDOW_S:
            times.popleft()
        return times[0] + WINDOW_S - now if len(times) >= limit else 0.0


def _name(name: str) -> tuple[str, str]:
    return "name", name.casefold()[:64]
