"""Which paths of Label Studio give out media? Its token goes to those when a video is fetched, and to no other.

All paths here are below Label Studio's root: without the prefix under which it may live.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

LOCAL_FILES = "/data/local-files/"
FILES = ("/data/upload/", LOCAL_FILES, "/storage-data/")
STATIC = "/static/"
"""Sample videos and the page's own files: given to everybody, so no token goes there."""
_STORED = re.compile(r"/(tasks|projects)/(\d{1,18})/(?:resolve|presign)/?")
_ANY_FILE = re.compile("|".join(re.escape(route) for route in FILES))


@dataclass(frozen=True)
class Owner:
    """The task or project whose storage gives out an object: ``tasks`` or ``projects``, and its number."""

    kind: str
    number: int


def is_media(path: str) -> bool:
    """Does the path give out media, and does it stay there?"""
    at_file = path.startswith(FILES) or path + "/" == LOCAL_FILES
    return (at_file or stored_owner(path) is not None) and not climbs(path)


def is_static(path: str) -> bool:
    """Does the path give out what Label Studio gives to everybody, and does it stay there?"""
    return path.startswith(STATIC) and not climbs(path)


def stored_owner(path: str) -> Owner | None:
    """Whose object an address of Label Studio's storage proxy gives out (``/tasks/5/resolve/?fileuri=...``)."""
    match = _STORED.fullmatch(path)
    return None if match is None else Owner(match[1], int(match[2]))


def stored_path(owner: Owner, encoded: str) -> str:
    """The proxy's path for an object: ``encoded`` is its storage address in URL-safe base64.

    The route has two names; this one is older and still known.
    """
    return f"/{owner.kind}/{owner.number}/presign/?fileuri={quote(encoded, safe='')}"


def climbs(path: str) -> bool:
    """Does the path leave its folder, however often that is encoded? Servers read backslashes in different ways."""
    for _ in range(4):
        if "\\" in path or "\x00" in path or any(part in ("..", ".") for part in re.split("[/;]", path)):
            return True
        decoded = unquote(path)
        if decoded == path:
            return False
        path = decoded
    return True


def prefix_of_file(path: str) -> str | None:
    """What stands before a file's route in a relative address: the prefix under which Label Studio lives."""
    match = _ANY_FILE.search(path)
    return None if match is None else path[: match.start()]
