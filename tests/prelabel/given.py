"""Small sources for the tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from backend.media.cloud import CloudFiles
from backend.media.cloud_services import SERVICES, Service
from backend.prelabel.item import Found, Item, Note, Problem, Repeated
from backend.prelabel.sources import Source, open_source

CLOUD = CloudFiles(services={**SERVICES, "memory": Service("memory", "fsspec")})
"""A bucket in memory beside the real ones."""


def clips(folder: Path, *names: str) -> Path:
    """A folder with files of these names, whose bytes are their names."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode("utf-8", "surrogateescape"))
    return folder


def written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def everything(source: Source) -> list[Found]:
    with source:
        return list(source.read())


def items(text: object, **options: Any) -> list[Item]:
    """The items of a source in which nothing is wrong."""
    found = everything(open_source(str(text), **options))
    assert all(isinstance(one, Item) for one in found), [one for one in found if not isinstance(one, Item)]
    return [one for one in found if isinstance(one, Item)]


def only(kind: type[Problem] | type[Note] | type[Repeated] | type[Item], found: Iterable[Found]) -> list[Any]:
    return [one for one in found if isinstance(one, kind)]
