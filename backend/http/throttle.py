"""How often may somebody guess? Failed log-ins of people are counted per name and per address, those of programs per
address; all addresses of one IPv6 network of 64 bits count as one.

The counts live in this process's memory: they are gone after a restart, and two web processes count by themselves.
"""

from __future__ import annotations

import ipaddress
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
            limits = ((_name(name), PER_NAME), (("address", network(address)), PER_ADDRESS))
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
            of_address = self._attempts.get(("address", network(address)))
            if of_address:
                of_address.pop()

    def _wait(self, key: tuple[str, str], limit: int, now: float) -> float:
        return _left(self._attempts.get(key, deque()), limit, now)


class Guesses:
    """Counts the wrong credentials that programs send. Right ones are never held against it: Label Studio sends each
    event once, and what somebody guessed beside it must not lose one. So a guess that hits is always told, and what
    keeps guessers out is the length of the secrets, which ``stvg doctor`` looks at.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wrong(self, address: str) -> tuple[float, bool]:
        """Count a wrong credential.

        Returns:
            The seconds to wait where there were too many before it (then it is not counted), else 0; and whether this
            one makes them too many.
        """
        with self._lock:
            now, counted = self._clock(), network(address)
            times = self._failures.get(counted, deque())
            wait = _left(times, PER_ADDRESS, now)
            if wait:
                return wait, False
            times.append(now)
            self._failures[counted] = times
            self._failures.move_to_end(counted)
            while len(self._failures) > _REMEMBERED:
                self._failures.popitem(last=False)
            return 0.0, len(times) == PER_ADDRESS


def network(address: str) -> str:
    """What an address counts as: whoever has one IPv6 address has a whole network of them."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is None:
        return str(ipaddress.ip_network((found, 64), strict=False))
    return str(getattr(found, "ipv4_mapped", None) or found)


def _left(times: deque[float], limit: int, now: float) -> float:
    while times and times[0] <= now - WINDOW_S:
        times.popleft()
    return times[0] + WINDOW_S - now if len(times) >= limit else 0.0


def _name(name: str) -> tuple[str, str]:
    return "name", name.casefold()[:64]
