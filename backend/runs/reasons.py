"""Which failures are of one kind? Their sentences differ in the names and the numbers of the one video."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from backend.media.source import safe_name

_ADDRESS = re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s,;]+|(?<![\w.])/(?:[^\s/,;:]+/)+[^\s,;:]*", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


def kind_of(reason: str | None, video_ref: str, query: str) -> str:
    """A reason without what belongs to its one job."""
    if not reason:
        return "no reason was stored"
    text = reason
    for own in sorted({query, *_names(video_ref)}, key=len, reverse=True):
        if len(own) > 2:
            text = text.replace(own, "...")
    return " ".join(_NUMBER.sub("N", _ADDRESS.sub("...", text)).split())


def _names(video_ref: str) -> set[str]:
    """How a video's address and its file may be called in a sentence."""
    try:
        parts = urlsplit(video_ref)
        path = unquote(parts.path if not parts.query.startswith("d=") else parts.query[2:])
    except ValueError:
        path = video_ref
    last = path.rpartition("/")[2]
    return {video_ref, path, last, safe_name(last), unquote(video_ref)}
