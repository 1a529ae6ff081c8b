"""What does a dotted name stand for, and how is something else put there? Light: child processes import it too."""

from __future__ import annotations

import importlib
from typing import Any


def owner_of(name: str) -> tuple[Any, str]:
    """The module or class that holds what a dotted name stands for, and its name there.

    A module goes before a function of the same name in its package. Raises AttributeError where there is no such thing.
    """
    parts = name.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:-1]:
            owner = getattr(owner, part)
        getattr(owner, parts[-1])
        return owner, parts[-1]
    raise AttributeError(name)
