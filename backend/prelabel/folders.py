"""What lies in a folder, on this machine or in a storage? Each is read once."""

from __future__ import annotations

import os
from pathlib import Path

from backend.media.cloud import CloudFiles
from backend.media.errors import MediaError
from backend.prelabel.errors import SourceError
from backend.prelabel.listing import Listing


class Folders:
    """The folders that names count from.

    Args:
        base: the folder above all of them: a local path, or the address of a folder of a storage.
    """

    def __init__(self, base: str, cloud: CloudFiles) -> None:
        self._base, self._cloud = base, cloud
        self._all: Listing | None = None
        self._each: dict[str, Listing] = {}

    def one(self, folder: str) -> Listing:
        """The files in one folder, as it spells them; none where there is no such folder.

        Raises:
            SourceError: a storage does not answer, or refuses: then nothing is known of any name.
        """
        if folder not in self._each:
            self._each[folder] = Listing(
                self._objects(folder) if self._cloud.is_cloud(folder) else _files(folder), folder
            )
        return self._each[folder]

    def all(self) -> Listing:
        """All files below the base. Raises as :meth:`one`."""
        if self._all is None:
            in_cloud = self._cloud.is_cloud(self._base)
            files = self._objects(self._base, deep=True) if in_cloud else walk(Path(self._base))
            self._all = Listing(files, self._base)
        return self._all

    def _objects(self, folder: str, *, deep: bool = False) -> dict[str, int | None]:
        try:
            if not self._cloud.is_there(folder):
                return {}
            return {file.path: file.size_bytes for file in self._cloud.listing(folder, deep=deep)}
        except MediaError as error:
            raise SourceError(f"The folder of the videos cannot be listed: {error}") from None


def _files(folder: str) -> dict[str, int | None]:
    if not Path(folder).is_dir():
        return {}
    with os.scandir(folder) as entries:
        return {entry.name: None for entry in entries if entry.is_file()}


def walk(folder: Path) -> dict[str, int | None]:
    """The files below a folder, hidden ones left out. Links to folders are followed, each folder is read once."""
    found: dict[str, int | None] = {}
    seen: set[tuple[int, int]] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        try:
            facts = Path(place).stat()
        except OSError:
            continue
        if (facts.st_dev, facts.st_ino) in seen:
            folders.clear()
            continue
        seen.add((facts.st_dev, facts.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        above = Path(place).relative_to(folder).as_posix()
        start = "" if above == "." else above + "/"
        found.update({start + name: None for name in names if not name.startswith(".")})
    return found
