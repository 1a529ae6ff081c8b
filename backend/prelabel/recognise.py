"""What kind of file is this? Told by its first record, never by its name."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

from backend.prelabel.errors import SourceError
from stvg_core.datasets.base import UNUSABLE, load_text, split_ending

_HEAD = 4 << 20
"""Bytes that are looked at: far more than one record of any of the kinds."""
_LOOKED_AT = 20
"""Records; the first ones may be broken."""
_BOXES = ("bbox", "st_frame", "English", "caption")


class Kind(StrEnum):
    """What a source can be."""

    TASKS = "tasks"
    HCSTVG = "hcstvg"
    VIDSTG = "vidstg"
    PROJECT = "project"


def recognise(path: Path, *, encoding: str | None = None) -> Kind:
    """HC-STVG (either version, or its sentences alone), VidSTG, else a list of tasks: a table, JSON or JSON lines.

    Raises:
        SourceError: the file cannot be read.
        DatasetError: it is in another encoding.
    """
    text = _head(path, encoding).lstrip("\ufeff").lstrip()
    if text.startswith("["):
        return Kind.VIDSTG if any(_is_vidstg(one) for one in _elements(text)) else Kind.TASKS
    if text.startswith("{"):
        return Kind.HCSTVG if _is_hcstvg(text) else Kind.TASKS
    return Kind.TASKS


def is_sentences(content: Any) -> bool:
    """Does an HC-STVG file hold ``{video: sentence}``, without boxes?"""
    return isinstance(content, dict) and bool(content) and all(isinstance(value, str) for value in content.values())


def _head(path: Path, encoding: str | None) -> str:
    """The beginning of the text; an encoding that is wrong further on is found by who reads the whole file."""
    try:
        with path.open("rb") as file:
            data = file.read(_HEAD)
            more = bool(file.read(1))
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from None
    if not more:
        return load_text(path, encoding=encoding)
    marks = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
    named = encoding or next((name for mark, name in marks if data.startswith(mark)), "utf-8")
    try:
        return data.decode(named, "replace")
    except LookupError:
        return load_text(path, encoding=encoding)  # which says that there is no such encoding


def _elements(text: str) -> Iterator[Any]:
    """The first elements of a JSON list, as far as the text goes."""
    decoder, at = json.JSONDecoder(), 1
    for _ in range(_LOOKED_AT):
        at = _skip(text, at, ",")
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            return
        yield value


def _is_vidstg(value: Any) -> bool:
    return isinstance(value, dict) and "vid" in value and ("captions" in value or "questions" in value)


def _is_hcstvg(text: str) -> bool:
    """One object whose keys are videos; a task's keys are the names of columns."""
    members = list(_members(text))
    if any(isinstance(value, dict) and sum(name in value for name in _BOXES) >= 2 for _, value in members):
        return True
    return bool(members) and all(isinstance(value, str) and split_ending(key)[1] for key, value in members)


def _members(text: str) -> Iterator[tuple[str, Any]]:
    """The first keys and values of a JSON object, as far as the text goes."""
    decoder, at = json.JSONDecoder(), 1
    for _ in range(_LOOKED_AT):
        try:
            key, at = decoder.raw_decode(text, _skip(text, at, ","))
            value, at = decoder.raw_decode(text, _skip(text, at, ":"))
        except (*UNUSABLE, RecursionError):
            return
        if not isinstance(key, str):
            return
        yield key, value


def _skip(text: str, at: int, mark: str) -> int:
    """Behind spaces and one mark."""
    while at < len(text) and (text[at].isspace() or text[at] == mark):
        at += 1
    return at
