"""Values in a task's data by the name that an interface gives them: ``$video``, or ``$media.url`` for nested data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def lookup(data: Mapping[str, Any], key: str) -> Any:
    """The value, None where there is none. A key that is written with its dots as one name counts first."""
    if key in data:
        return data[key]
    value: Any = data
    for part in key.split("."):
        if not isinstance(value, Mapping) or part not in value:
            return None
        value = value[part]
    return value


def put(data: dict[str, Any], key: str, value: Any) -> bool:
    """Set the value where the interface looks for it; False where something else is in its way."""
    *outer, last = key.split(".")
    place = data
    for part in outer:
        inner = place.setdefault(part, {})
        if not isinstance(inner, dict):
            return False
        place = inner
    place[last] = value
    return True
