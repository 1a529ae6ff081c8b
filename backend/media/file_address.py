"""How is a file of this machine written as an address (``file:///videos/a%20b.mp4``), and read back?

Only a person at this machine may name files so (``stvg prelabel``). What Label Studio sends never is read here:
:func:`backend.media.source.find_source` refuses it.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote_to_bytes, urlsplit

from backend.media.errors import MediaError

SCHEME = "file"


def file_address(path: Path) -> str:
    """The address of a file; it is made absolute, and links in it stay. Bytes that are not UTF-8 are kept."""
    return (path.resolve() if ".." in path.parts else path.absolute()).as_uri()


def is_file_address(address: str) -> bool:
    """Whether an address begins with ``file:``."""
    return address.partition(":")[0].strip().lower() == SCHEME


def file_path(address: str) -> Path:
    """The file that an address names, whether it is there or not. Raises MediaError for one of another machine."""
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        raise MediaError("The video's file address cannot be read.") from None
    path = os.fsdecode(unquote_to_bytes(parts.path))
    if parts.netloc not in ("", "localhost") or not path.startswith("/") or "\x00" in path or parts.query:
        raise MediaError(
            "The video's file address cannot be read. It looks like file:///videos/a%20b.mp4, with % in place of marks."
        )
    return Path(path)
