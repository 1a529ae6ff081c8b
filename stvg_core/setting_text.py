"""Settings as text and as JSON: which values does a field's annotation allow, and which one is meant?

Nothing here knows a setting's name: a new field of a settings class can be set by name without a line of its own.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

_WORDS = {True: ("true", "yes", "on"), False: ("false", "no", "off")}
_WHOLE = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?", re.IGNORECASE)
_MOST_DIGITS = 18


class NotAllowed(ValueError):
    """A text or a value that the annotation does not allow; the message says what it allows."""


@cache
def kinds(settings: type) -> Mapping[str, Any]:
    """The fields of a dataclass in order, with what each may hold."""
    hints = get_type_hints(settings)
    return {field.name: hints[field.name] for field in fields(settings)}


def parse_all(settings: type, texts: Iterable[str]) -> dict[str, Any]:
    """Values from ``NAME=VALUE``; the same one twice is read once.

    Raises:
        NotAllowed: no ``=``, an unknown name (the nearest are said), a value that is not allowed, two for one name.
    """
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, said = (part.strip() for part in text.partition("="))
        if not equals:
            raise NotAllowed(f"{text!r} is not NAME=VALUE")
        name = name.replace("-", "_")
        value = _named(settings, name, said, parse)
        if name in found and found[name] != value:
            raise NotAllowed(f"{name} is set twice: {shown(found[name])} and {shown(value)}")
        found[name] = value
    return found


def accept_all(settings: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values from JSON. Raises NotAllowed, as :func:`parse_all` does."""
    return {name: _named(settings, name, value, accept) for name, value in values.items()}


def _named(settings: type, name: str, value: Any, read: Callable[[Any, Any], Any]) -> Any:
    known = kinds(settings)
    if name not in known:
        raise NotAllowed(f"there is no setting {name!r}. {nearest(name, known)}")
    try:
        return read(known[name], value)
    except NotAllowed as error:
        raise NotAllowed(f"{name}: {error}") from None


def parse(annotation: Any, text: str) -> Any:
    """The value that a text means.

    Numbers as usual, true or false, ``none`` where that is allowed, words as they stand; several values are written
    with commas in between (``3,4``).

    Raises:
        NotAllowed: it means none that is allowed.
    """
    for one in _members(annotation):
        try:
            return _parse(one, text.strip())
        except NotAllowed:
            continue
    raise NotAllowed(f"{text!r} is not allowed; allowed: {allowed(annotation)}")


def accept(annotation: Any, value: Any) -> Any:
    """A value from JSON as the annotation has it: a list becomes a tuple. A whole number may stand for a decimal one.

    Raises:
        NotAllowed: it is none that is allowed.
    """
    for one in _members(annotation):
        try:
            return _accept(one, value)
        except NotAllowed:
            continue
    raise NotAllowed(f"{value!r} is not allowed; allowed: {allowed(annotation)}")


def allowed(annotation: Any) -> str:
    """What may stand there, in words: "none, or whole numbers with commas in between"."""
    return ", or ".join(_words(one) for one in _members(annotation))


def shown(value: Any) -> str:
    """A value as :func:`parse` reads it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return _WORDS[value][0]
    if isinstance(value, (tuple, list)):
        return ",".join(shown(one) for one in value)
    return f"{value:g}" if isinstance(value, float) and float(f"{value:g}") == value else str(value)


def nearest(name: str, known: Iterable[str]) -> str:
    """For a sentence about an unknown name: the most alike of the known ones, else all of them."""
    known = list(known)
    alike = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
    return f"The nearest: {', '.join(alike)}" if alike else f"There are: {', '.join(known)}"


def _members(annotation: Any) -> list[Any]:
    """The members of a union, None first, then from the narrowest to the widest."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    order = [NoneType, Literal, bool, int, float, tuple, str]
    return sorted(members, key=lambda one: order.index(get_origin(one) or one))


def _parse(one: Any, text: str) -> Any:
    if one is NoneType and text.lower() in ("none", "null"):
        return None
    if get_origin(one) is Literal:
        for value in get_args(one):
            if str(value) == text:
                return value
    if one is bool:
        for value, words in _WORDS.items():
            if text.lower() in words:
                return value
    if one is int and _WHOLE.fullmatch(text) and len(text) <= _MOST_DIGITS:
        return int(text)
    if one is float and _DECIMAL.fullmatch(text) and math.isfinite(float(text)):
        return float(text)
    if get_origin(one) is tuple:
        parts = text.removeprefix("(").removesuffix(")").split(",") if text.strip("() ") else []
        return tuple(parse(kind, part) for kind, part in zip(_inside(one, len(parts)), parts, strict=True))
    if one is str:
        return text
    raise NotAllowed(text)


def _accept(one: Any, value: Any) -> Any:
    if one is NoneType and value is None:
        return None
    if get_origin(one) is Literal and any(value == other and type(value) is type(other) for other in get_args(one)):
        return value
    if one in (bool, int, str) and type(value) is one:
        return value
    if one is float and type(value) in (int, float) and math.isfinite(value):
        return value  # 8 stays 8: digests are made of the JSON, and what was stored under one keeps it
    if get_origin(one) is tuple and isinstance(value, (list, tuple)):
        return tuple(accept(kind, part) for kind, part in zip(_inside(one, len(value)), value, strict=True))
    raise NotAllowed(repr(value))


def _inside(one: Any, number: int) -> tuple[Any, ...]:
    """What each of so many values of a tuple may be."""
    inner = get_args(one)
    if inner[-1:] == (Ellipsis,):
        return (inner[0],) * number
    if len(inner) != number:
        raise NotAllowed(f"{number} values in place of {len(inner)}")
    return inner


def _words(one: Any) -> str:
    if get_origin(one) is Literal:
        return " or ".join(str(value) for value in get_args(one))
    if get_origin(one) is tuple:
        parts = get_args(one)
        inner = _several(parts[0]) if parts[-1:] == (Ellipsis,) else "; ".join(allowed(part) for part in parts)
        return f"{inner} with commas in between"
    return {
        NoneType: "none", bool: "true or false", int: "a whole number", float: "a number", str: "any text",
    }[one]  # fmt: skip


def _several(kind: Any) -> str:
    return {int: "whole numbers", float: "numbers", str: "texts"}.get(kind) or f"several of {allowed(kind)}"
