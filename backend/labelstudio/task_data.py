"""Values inside a task's data. What does ``$media.url`` or ``$clips[0].url`` of the labelling interface mean there?

As on Label Studio's page: a key that is there literally counts, dots and all; else the name is a path through objects
and lists.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from stvg_core.datasets.cvat import SENTENCE_NAMES
from stvg_core.errors import StvgError

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_SHAPE = re.compile(r"[^.\[\]]+(?:\.[^.\[\]]+|\[\d+\])*")
_MISSING = object()


class TaskDataError(StvgError):
    """A value cannot be put where the interface looks for it."""


def read_value(data: Mapping[str, Any] | None, name: str | None) -> Any:
    """What ``$name`` means for these data, None where they have nothing there."""
    if name is None or not isinstance(data, Mapping):
        return None
    if name in data:
        return data[name]
    found: Any = data
    for step in _steps(name):
        found = _inside(found, step)
        if found is _MISSING:
            return None
    return found


def read_text_value(data: Mapping[str, Any] | None, name: str | None) -> str:
    """The same where it is text, else ""."""
    value = read_value(data, name)
    return value if isinstance(value, str) else ""


def usual_sentence(data: Mapping[str, Any]) -> str:
    """The sentence under one of the names that it usually has, for whoever does not know the interface; else ""."""
    return next((str(data[name]) for name in SENTENCE_NAMES if data.get(name)), "")


def with_value(data: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A copy of ``data`` in which ``$name`` means ``value``; everything beside it stays as it is.

    Raises:
        TaskDataError: on the way lies something that is no object, or a list is too short.
    """
    changed = copy.deepcopy(dict(data))
    steps = _steps(name)
    if name in changed or len(steps) == 1:
        changed[name] = value
        return changed
    place: Any = changed
    for step, following in pairwise(steps):
        inner = _inside(place, step)
        if inner is _MISSING or inner is None:
            inner = [] if isinstance(following, int) else {}
            _put(place, step, inner, name)
        place = inner
    _put(place, steps[-1], value, name)
    return changed


def without_value(data: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A copy of ``data`` without ``$name``; objects that are empty then stay."""
    changed = copy.deepcopy(dict(data))
    if name in changed:
        del changed[name]
        return changed
    *way, last = _steps(name)
    place: Any = changed
    for step in way:
        place = _inside(place, step)
    if isinstance(place, dict):
        place.pop(last, None)
    return changed


def _steps(name: str) -> list[str | int]:
    """Keys and list positions in order; a name of another shape is one key."""
    if not _SHAPE.fullmatch(name):
        return [name]
    return [int(index) if index else key for key, index in _STEP.findall(name)]


def _inside(place: Any, step: str | int) -> Any:
    """Numbers are positions in a list and keys in an object, however they are written."""
    if isinstance(place, Mapping):
        return place.get(str(step), _MISSING)
    if isinstance(place, list) and str(step).isascii() and str(step).isdigit() and int(step) < len(place):
        return place[int(step)]
    return _MISSING


def _put(place: Any, step: str | int, value: Any, name: str) -> None:
    if isinstance(place, dict):
        place[str(step)] = value
    elif _inside(place, step) is not _MISSING:
        place[int(step)] = value
    elif isinstance(place, list) and str(step) == str(len(place)):
        place.append(value)
    else:
        raise TaskDataError(f'"{name}" cannot be written into the task: what should hold "{step}" is no object.')
