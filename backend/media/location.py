"""Which file does a video's address name? Its folders and file name, decoded, whoever serves it."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, unquote, urlsplit

_LOCAL_FILES = "/data/local-files"
_AS_WRITTEN = ("s3", "gs", "azure-blob")
"""Addresses of these storages hold the object's key as it is, without escapes."""


def location(address: str) -> str:
    """``clips/my film.mp4`` of ``/data/local-files/?d=clips/my%20film.mp4``; "" where the address names no file.

    Nothing in it leads out of a folder. Bytes that are not UTF-8 are kept as Python keeps them in file names
    (surrogate escapes).
    """
    parts = [part for part in _path(address.strip()).split("/") if part]
    if not parts or parts[-1] in (".", ".."):
        return ""
    return "/".join(part for part in parts if part not in (".", ".."))


def local_file(address: str) -> str | None:
    """The ``d`` of a local-files address of Label Studio's, None for other addresses."""
    try:
        parts = urlsplit(address.strip())
        if _LOCAL_FILES not in parts.path:
            return None
        return parse_qs(parts.query, errors="surrogateescape").get("d", [""])[0] or None
    except ValueError:
        return None


def escaped(name: str) -> str:
    """The name with each byte that is not UTF-8 written ``%E9``, so that it can be written anywhere."""
    return re.sub("[\ud800-\udfff]", lambda match: f"%{ord(match.group()) & 0xFF:02X}", name)


def _path(address: str) -> str:
    scheme, mark, rest = address.partition("://")
    if mark and scheme.lower() in _AS_WRITTEN:
        return rest
    wanted = local_file(address)
    if wanted is not None:
        return wanted
    if not mark and not address.startswith("/"):
        return address  # a plain file name, which may hold any mark
    try:
        return unquote(urlsplit(address).path, errors="surrogateescape")
    except ValueError:
        return address
