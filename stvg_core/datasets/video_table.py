"""Which video does a name in a dataset mean? The table that lies beside an export of ours: ``<export>.videos.json``.

``{"videos": [{"name": ..., "stem": ..., "address": ..., "sha256": ...}]}``: ``name`` and ``stem`` are what the dataset
calls the video (a format uses one of them), ``address`` is what the task in Label Studio calls it, ``sha256`` is of the
video's bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stvg_core.datasets.base import UNUSABLE, DatasetError, VideoPlace, load_json

ENDING = ".videos.json"
_LEVELS = 3
"""So many folders up lies the table of a folder: ``out/clip/gt/gt.txt`` belongs to ``out.videos.json``."""


@dataclass(frozen=True)
class TableEntry:
    """One video; see the module."""

    name: str
    stem: str
    address: str
    sha256: str


class VideoTable:
    """What the names of one export mean."""

    def __init__(self, entries: Iterable[TableEntry] = ()) -> None:
        entries = list(entries)
        self._by_name = {entry.name: entry for entry in entries}
        self._by_stem = {entry.stem: entry for entry in entries}

    def place(self, *, name: str | None = None, stem: str | None = None) -> VideoPlace | None:
        """Where the video of that name, or of that name without ending, comes from; None where it is not in here."""
        found = self._by_stem.get(stem) if stem is not None else self._by_name.get(name or "")
        return None if found is None else VideoPlace(found.address, found.sha256)


def table_path(export: Path) -> Path:
    """Where the table of an export lies."""
    return export.with_name(export.name + ENDING)


def as_text(entries: Iterable[TableEntry]) -> str:
    """The table as the JSON that :func:`table_of` reads."""
    return json.dumps({"videos": [asdict(entry) for entry in entries]}, ensure_ascii=False, indent=0) + "\n"


def table_of(path: Path) -> VideoTable:
    """The table beside a file of an export, or beside the folder that it lies in; empty where there is none.

    Raises:
        DatasetError: there is one, and it cannot be read.
    """
    path = path.absolute()
    for place in (path, *path.parents[:_LEVELS]):
        if place.name and table_path(place).is_file():
            return _read(table_path(place))
    return VideoTable()


def _read(path: Path) -> VideoTable:
    content: Any = load_json(path)
    try:
        return VideoTable(
            TableEntry(str(e["name"]), str(e["stem"]), str(e["address"]), str(e["sha256"])) for e in content["videos"]
        )
    except UNUSABLE as error:
        raise DatasetError(f"{path} is no table of videos: it lacks a usable {error}.") from error
