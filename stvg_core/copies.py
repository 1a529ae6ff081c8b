"""What is the copy of a video called that browsers play? Its name says whose it is."""

from __future__ import annotations

import re
from urllib.parse import unquote

_DIGITS = 12
_COPY = re.compile(rf"-h264-[0-9a-f]{{{_DIGITS}}}\.mp4$")


def copy_name(stem: str, sha256: str) -> str:
    """The copy's file name: the original's and the beginning of its content's hash, so that it is never another's."""
    return f"{stem[:50]}-h264-{sha256[:_DIGITS]}.mp4"


def is_copy(address: str) -> bool:
    """Does a path or address name a copy made here?"""
    return _COPY.search(unquote(address)) is not None
