"""What did an endpoint cost so far? Counted by the requests that went out and the ``usage`` that came back."""

from __future__ import annotations

import threading
from typing import Any


class Costs:
    """Running totals; every thread may add to them.

    Attributes:
        requests: sent, repetitions included; ``repetitions`` are those alone.
        pictures: in all of them.
        tokens_in, tokens_out: as the endpoint counts them; 0 where it says nothing.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.requests = self.repetitions = self.pictures = self.tokens_in = self.tokens_out = 0

    def sent(self, pictures: int, *, again: bool) -> None:
        with self._lock:
            self.requests += 1
            self.repetitions += again
            self.pictures += pictures

    def used(self, usage: Any) -> None:
        """The ``usage`` of a reply; what is no count in it is left out."""
        if not isinstance(usage, dict):
            return
        with self._lock:
            self.tokens_in += _count(usage.get("prompt_tokens"))
            self.tokens_out += _count(usage.get("completion_tokens"))

    def now(self) -> dict[str, int]:
        """All of them by name."""
        with self._lock:
            names = ("requests", "repetitions", "pictures", "tokens_in", "tokens_out")
            return {name: getattr(self, name) for name in names}


def _count(value: Any) -> int:
    usable = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53
    return int(value) if usable else 0
