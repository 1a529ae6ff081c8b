"""Where does the address in a task point to?

A task names its video as Label Studio does: an upload (``/data/upload/...``), a local file of Label Studio's
(``/data/local-files/?d=...``) or a full http(s) address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from backend.media.errors import MediaError

_LOCAL_FILES = "/data/local-files/"


@dataclass(frozen=True)
class Local:
    """A file on this machine, inside the document root."""

    path: Path


@dataclass(frozen=True)
class Remote:
    """An http(s) address; ``name`` is a harmless file name for it."""

    url: str
    name: str


def origin(url: str) -> tuple[str, str, int]:
    """``(scheme, host, port)``: what decides whether Label Studio's token may be sent."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise MediaError("The video's address has a port that is not a number.") from None
    return parts.scheme.lower(), (parts.hostname or "").lower(), port or (443 if parts.scheme == "https" else 80)


def shown(url: str) -> str:
    """The address for a person: without query and credentials, which may hold secrets."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    return f"{parts.scheme}://{host}{parts.path}" if host else parts.path


def find_source(ref: str, *, label_studio_url: str | None, document_root: Path | None) -> Local | Remote:
    """Read a task's video address; :class:`MediaError` for anything that must not or cannot be fetched."""
    ref = ref.strip()
    if not ref:
        raise MediaError("The task has no video address.")
    if "\x00" in ref or len(ref) > 8192:
        raise MediaError("The task's video address is not a usable address.")
    try:
        parts = urlsplit(ref)
    except ValueError:
        raise MediaError("The task's video address is not a usable address.") from None
    relative = not parts.scheme and not parts.netloc and ref.startswith("/data/")
    if not relative and parts.scheme.lower() not in ("http", "https"):
        raise MediaError(
            "The task's video must be an http(s) address or a file that Label Studio serves (/data/upload/..., "
            "/data/local-files/?d=...)."
        )
    at_label_studio = relative or (label_studio_url is not None and origin(ref) == origin(label_studio_url))
    wanted = _local_file(parts.path, parts.query) if at_label_studio else None
    if wanted is not None and document_root is not None:
        return Local(inside(document_root, wanted))
    name = safe_name(wanted or unquote(parts.path))
    if not relative:
        return Remote(ref, name)
    if ".." in Path(unquote(parts.path)).parts:
        raise MediaError("The task's video address climbs out of its folder with '..', which is refused.")
    if label_studio_url is None:
        raise MediaError(
            "The task's video lies in Label Studio, whose address is not known here. Set STVG_LABEL_STUDIO_URL"
            + (" or STVG_DOCUMENT_ROOT." if wanted is not None else ".")
        )
    prefix = urlsplit(label_studio_url).path.rstrip("/")
    base = label_studio_url.rstrip("/")
    return Remote(base.removesuffix(prefix) + ref if prefix and ref.startswith(prefix + "/") else base + ref, name)


def _local_file(path: str, query: str) -> str | None:
    """The ``d`` of a local-files address, None for other addresses."""
    if _LOCAL_FILES not in path.rstrip("/") + "/":
        return None
    wanted = parse_qs(query).get("d", [""])[0]
    if not wanted:
        raise MediaError("The task's local-files address does not say which file (?d=...).")
    if ".." in Path(wanted).parts:
        raise MediaError("The task's video address climbs out of its folder with '..', which is refused.")
    return wanted


def inside(root: Path, wanted: str) -> Path:
    """The real path of ``wanted`` under ``root``; links and absolute paths that lead out are refused."""
    real_root = root.resolve()
    path = (real_root / wanted).resolve()
    if not path.is_relative_to(real_root):
        raise MediaError("The task's video lies outside the document root, which is refused.")
    if not path.is_file():
        raise MediaError(f"There is no file {safe_name(wanted)} at that place under the document root.")
    return path


def safe_name(path: str) -> str:
    """A plain file name from a path: letters, digits, dot, dash, underscore; at most 80 characters."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.rstrip("/").rpartition("/")[2])
    return name.lstrip("._")[-80:] or "video"
