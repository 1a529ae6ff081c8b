"""How often may somebody guess? Failed log-ins of people are counted per name and per address, those of programs per
address; all addresses of one IPv6 network of 64 bits count as one.

The counts live in this process's memory: they are gone after a restart, and two web processes count by themselves.
"""

from __future__ import annotations

import hashlib
import ipaddress
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from threading import Lock
from typing import TypeVar

WINDOW_S = 15 * 60.0
PER_NAME, PER_ADDRESS = 10, 40
"""So many failures within the window; an address may be a whole office."""

_REMEMBERED = 10_000
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


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
    """Counts the wrong credentials that programs send. Where there were too many, only callers pass who were right
    before: a guess that hits is not told apart from one that misses, and Label Studio is not stopped by a neighbour.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._known: OrderedDict[tuple[str, bytes], None] = OrderedDict()

    def wait(self, address: str, credential: str) -> float:
        """Seconds until this caller may try again, 0 where it may now."""
        with self._lock:
            if self._caller(address, credential) in self._known:
                return 0.0
            return _left(self._failures.get(network(address), deque()), PER_ADDRESS, self._clock())

    def right(self, address: str, credential: str) -> None:
        """The credential was right: from now on nothing stops it at this address."""
        with self._lock:
            _keep(self._known, self._caller(address, credential), None)

    def wrong(self, address: str) -> bool:
        """The credential was wrong; True for the failure that stops the address."""
        with self._lock:
            times = self._failures.get(network(address), deque())
            times.append(self._clock())
            _keep(self._failures, network(address), times)
            return len(times) == PER_ADDRESS

    def _caller(self, address: str, credential: str) -> tuple[str, bytes]:
        return address, hashlib.sha256(credential.encode("utf-8", "surrogatepass")).digest()


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


def _keep(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)


def _name(name: str) -> tuple[str, str]:
    return "name", name.casefold()[:64]
