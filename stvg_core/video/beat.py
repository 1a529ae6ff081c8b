"""A look through a long file says now and then that it moves on, to whoever wants to hear it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PACKETS = 256
"""So many packets are read from one beat to the next."""
DECODED = 16
"""So many packets are decoded from one beat to the next."""

_listener: ContextVar[Callable[[], None] | None] = ContextVar("_listener", default=None)


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Within this, in this thread, each beat calls ``listener``."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def beat(done: int, every: int = PACKETS) -> None:
    """To be called with the number of packets done, after each of them."""
    if done % every == 0 and (listener := _listener.get()) is not None:
        listener()
