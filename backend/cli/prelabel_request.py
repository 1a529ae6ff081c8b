"""What ``stvg prelabel`` was asked for, and what a local project is called and knows then."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from backend.runs.enqueue import LocalPlaces
from backend.runs.publishing import address_or_none
from backend.settings import Settings

SOME_FAILED = 3
"""Exit status where the run came to its end, but a sentence failed or a record was left out."""


@dataclass(frozen=True)
class Asked:
    """The source, as it was named on the command line."""

    text: str
    title: str | None
    videos: str | None
    vidor: Path | None
    kind: str | None
    encoding: str | None


def name_of(text: str) -> str:
    """A local project's name from that of its source: the file's or the folder's, without its ending."""
    try:
        parts = urlsplit(text)
        path = unquote(parts.path) if parts.scheme and "://" in text else text
        path = path if path.strip("/") else parts.netloc
    except ValueError:
        path = text
    last = Path(path.rstrip("/")).resolve().name if "://" not in text else path.rstrip("/").rpartition("/")[2]
    stem, mark, ending = last.rpartition(".")
    return stem if mark and stem and ending.isalnum() else last


def local_places(settings: Settings, project_id: int) -> LocalPlaces:
    """Where the videos of a local project lie on this machine."""
    return LocalPlaces(project_id, partial(address_or_none, document_root=settings.document_root))
