"""How does an export appear at its place: whole, or not at all?"""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from backend.export.errors import ExportError


class Output:
    """A file or a folder that is written beside its place and moved there at the end.

    A file replaces an older one. A folder is only replaced where that was asked for, and then by two renames: between
    them there is a moment without any, and if the second fails the old folder is put back.

    Attributes:
        path: its place.
        temporary: where to write; for a folder it exists already, for a file it does not.
    """

    def __init__(self, path: Path, *, folder: bool, overwrite: bool = False) -> None:
        """Raises :class:`ExportError` where something is in the way."""
        if folder and (path.exists() or path.is_symlink()):
            if path.is_symlink() or not path.is_dir():
                raise ExportError(f"{path} is no folder. This format is a folder: name another place.")
            if not overwrite:
                raise ExportError(f"There is a folder {path} already. Name another, or add --overwrite to replace it.")
        if not folder and path.is_dir():
            raise ExportError(f"{path} is a folder. This format is one file: name a file.")
        self.path = path
        self._folder = folder
        self.temporary = self._beside("part")
        if folder:
            self.temporary.mkdir()

    def sync(self) -> None:
        """Have everything on the disk before any name changes."""
        inside = self.temporary.rglob("*") if self._folder else iter([self.temporary])
        for path in inside:
            if path.is_file():
                _sync(path)

    def commit(self) -> None:
        """Move it to its place."""
        if not self._folder or not self.path.exists():
            self.temporary.replace(self.path)
            return
        aside = self._beside("old")
        self.path.rename(aside)
        try:
            self.temporary.rename(self.path)
        except OSError:
            aside.rename(self.path)
            raise
        shutil.rmtree(aside, ignore_errors=True)

    def discard(self) -> None:
        """Leave nothing behind; also after :meth:`commit`, when there is nothing to leave."""
        if self._folder:
            shutil.rmtree(self.temporary, ignore_errors=True)
        else:
            self.temporary.unlink(missing_ok=True)

    def _beside(self, word: str) -> Path:
        return self.path.with_name(f".{self.path.name}.{word}-{secrets.token_hex(4)}")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
