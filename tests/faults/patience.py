"""A limit for what waits, in looks and not in seconds: a slow machine takes longer for each."""

from __future__ import annotations

from collections.abc import Callable


class StillWaiting(Exception):
    """Nothing happened for far longer than the limit."""


def patience(looks: int) -> Callable[[], None]:
    """Gives up after so many looks, each a quarter of a second after the one before."""
    left = iter(range(looks))

    def look() -> None:
        if next(left, None) is None:
            raise StillWaiting

    return look
