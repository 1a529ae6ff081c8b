"""What stands where a guard was, in the run that must fail. Light: child processes import it when they start."""

from __future__ import annotations


def nothing(*_: object, **__: object) -> None:
    """Checks nothing, does nothing."""


def yes(*_: object, **__: object) -> bool:
    return True


def no(*_: object, **__: object) -> bool:
    return False


def hour(*_: object, **__: object) -> float:
    """Seconds that are never over in a test."""
    return 3600.0


def same(value: object, *_: object, **__: object) -> object:
    """The first argument as it came: nothing is made of it."""
    return value
