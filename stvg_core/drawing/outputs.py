"""Where a picture is written. Can it be, and where does it grow until it is whole?"""

from __future__ import annotations

import secrets
from pathlib import Path

from stvg_core.errors import VideoError


def growing(out: Path, ending: str) -> Path:
    """A new empty file beside ``out``, to be written and then moved onto it.

    The path is absolute: FFmpeg takes what stands before a colon in a relative name for a protocol. The name is short
    whatever ``out`` is called.

    Raises:
        OSError: no file can be made there.
    """
    path = out.absolute().parent / f".stvg-{secrets.token_hex(8)}{ending}"
    path.open("xb").close()
    return path


def check_writable(out: Path) -> None:
    """Find out before a long run whether ``out`` could be written; nothing of it remains.

    Raises:
        VideoError: its folder is missing or closed, its name is too long, or something else stands in its place.
    """
    folder = out.absolute().parent
    if not folder.is_dir():
        raise VideoError(f"There is no folder {out.parent} to write {out.name} to. Make it first.")
    try:
        if out.is_dir():
            raise VideoError(f"{out} is a folder, not a file to write to. Add a file name.")
        if not out.name or out.name in (".", ".."):
            raise VideoError(f"{out} names no file to write to.")
        if not out.exists():  # is the name itself possible?
            out.absolute().open("xb").close()
            out.unlink()
        growing(out, ".part").unlink()
    except FileExistsError:
        pass  # somebody made it just now
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "the name is not valid"
        raise VideoError(f"{out} cannot be written: {reason}.") from error
