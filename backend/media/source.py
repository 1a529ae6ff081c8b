"""Where does the address in a task point to?

A task names its video as Label Studio does: an upload (``/data/upload/...``), a local file of Label Studio's
(``/data/local-files/?d=...``), an object of a storage (``s3://...``) or a full http(s) address. What lies in Label
Studio may have its prefix in front, or any of its names.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from backend.addresses import AddressError, origin, safe_name, without_secrets
from backend.media.errors import MediaError
from backend.media.label_studio import LabelStudioPlace
from backend.routes import LOCAL_FILES, Owner, climbs, is_media, is_static, stored_owner

STORAGES = ("s3", "gs", "azure-blob")
"""The schemes that Label Studio's storages write into tasks."""
_UNUSABLE = "The task's video address is not a usable address."
_CLIMBS = "The task's video address climbs out of its folder with '..', which is refused."


@dataclass(frozen=True)
class Local:
    """A file on this machine, inside the document root."""

    path: Path


@dataclass(frozen=True)
class Remote:
    """An http(s) address; ``name`` is a harmless file name for it."""

    url: str
    name: str


@dataclass(frozen=True)
class Stored:
    """An object of one of Label Studio's storages.

    Attributes:
        address: ``s3://bucket/key``: what it is known by. The signed address is another one each time.
        owner: whose storage gives it out, where the task's address says so.
    """

    address: str
    name: str
    owner: Owner | None = None


def shown(url: str) -> str:
    """The address for a person: without query and credentials, which may hold secrets."""
    return without_secrets(url)


def find_source(ref: str, *, place: LabelStudioPlace, document_root: Path | None) -> Local | Remote | Stored:
    """Read a task's video address; :class:`MediaError` for anything that must not or cannot be fetched."""
    ref = ref.strip()
    if not ref:
        raise MediaError("The task has no video address.")
    _check_text(ref)
    try:
        parts = urlsplit(ref)
    except ValueError:
        raise MediaError(_UNUSABLE) from None
    scheme = parts.scheme.lower()
    if scheme in STORAGES:
        return _stored(ref)
    if scheme in ("http", "https"):
        try:
            origin(ref)
            below = place.below(ref)
        except AddressError as error:
            raise MediaError(f"The task's video address cannot be used: {error}") from None
        found = None if below is None else _in_label_studio(below, place, document_root)
        return found or Remote(ref, safe_name(unquote(parts.path)))
    below = None if scheme or parts.netloc else place.strip_prefix(ref.partition("#")[0])
    found = None if below is None else _in_label_studio(below, place, document_root)
    if found is None:
        raise MediaError(
            "The task's video must be an http(s) address, an object of a storage "
            f"({', '.join(f'{name}://' for name in STORAGES)}) or a file that Label Studio serves (/data/upload/..., "
            "/data/local-files/?d=...)."
        )
    return found


def _in_label_studio(below: str, place: LabelStudioPlace, document_root: Path | None) -> Local | Remote | Stored | None:
    """What a path of Label Studio's means; None for one that gives out no files."""
    path, _, query = below.partition("?")
    if climbs(path):
        raise MediaError(_CLIMBS)
    owner = stored_owner(path)
    if owner is not None:
        return _stored(_decoded(parse_qs(query).get("fileuri", [""])[0]), owner)
    if not is_media(path) and not is_static(path):
        return None
    wanted = _local_file(path, query)
    path_here = None if wanted is None else _served_here(document_root, wanted)
    if path_here is not None:
        return Local(path_here)
    if place.url is None:
        raise MediaError(
            "The task's video lies in Label Studio, whose address is not known here. Set STVG_LABEL_STUDIO_URL"
            + (" or STVG_DOCUMENT_ROOT." if wanted is not None else ".")
        )
    return Remote(place.full(below), safe_name(wanted or unquote(path)))


def _stored(address: str, owner: Owner | None = None) -> Stored:
    _check_text(address)
    scheme, _, rest = address.partition("://")
    bucket, _, key = rest.partition("/")
    if scheme.lower() not in STORAGES or not bucket or not key:
        raise MediaError(
            "The task's video address names no object of a storage; it looks like s3://bucket/folder/video.mp4."
        )
    return Stored(f"{scheme.lower()}://{rest}", safe_name(unquote(key)), owner)


def _decoded(encoded: str) -> str:
    """The storage address that Label Studio's proxy is asked for."""
    try:
        return base64.b64decode(encoded.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return unquote(encoded)


def _local_file(path: str, query: str) -> str | None:
    """The ``d`` of a local-files address, None for other addresses."""
    if not (path + "/").startswith(LOCAL_FILES):
        return None
    wanted = parse_qs(query).get("d", [])
    if not wanted:
        raise MediaError("The task's local-files address does not say which file (?d=...).")
    if len(wanted) > 1:  # Label Studio shows the last one, others read the first
        raise MediaError("The task's local-files address names several files (?d=...&d=...), so none is taken.")
    _refuse_climbing(wanted[0])
    return wanted[0]


def _refuse_climbing(wanted: str) -> None:
    """No folder ``..``, and nothing that ends a path before its end. Label Studio may run where ``\\`` is a slash."""
    if ".." in re.split(r"[/\\]", wanted):
        raise MediaError(_CLIMBS)
    if "\x00" in wanted:
        raise MediaError(_UNUSABLE)


def _served_here(document_root: Path | None, wanted: str) -> Path | None:
    """The file under the document root; None where none is set: then nothing of this machine is read."""
    return None if document_root is None else inside(document_root, wanted)


def inside(root: Path, wanted: str) -> Path:
    """The real path of ``wanted`` under ``root``; links and absolute paths that lead out are refused."""
    try:
        real_root = real_path(root)
        path = real_path(real_root / wanted)
        if not is_below(path, real_root):
            raise MediaError("The task's video lies outside the document root, which is refused.")
        if not path.is_file():
            raise MediaError(f"There is no file {safe_name(wanted)} at that place under the document root.")
    except ValueError:
        raise MediaError(_UNUSABLE) from None
    except (OSError, RuntimeError) as error:  # a circle of links is a RuntimeError
        why = getattr(error, "strerror", None) or "its links lead in a circle"
        raise MediaError(f"The file {safe_name(wanted)} cannot be reached under the document root: {why}.") from None
    return path


def real_path(path: Path) -> Path:
    """Where a path leads when all its links are followed."""
    return path.resolve()


def is_below(path: Path, root: Path) -> bool:
    """Does a real path lie in a real folder?"""
    return path.is_relative_to(root)


def _check_text(address: str) -> None:
    """No control characters, no half characters, no novels."""
    whole = not any("\ud800" <= character <= "\udfff" for character in address)
    if not whole or len(address) > 8192 or any(ord(character) < 32 or character == "\x7f" for character in address):
        raise MediaError(_UNUSABLE)
