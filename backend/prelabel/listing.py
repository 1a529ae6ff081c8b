"""Which file of a folder does a name mean, where ending, subfolder and case may differ? Never a guess.

Looked at from the strictest way of comparing to the loosest; the first one that finds something decides, and several
finds are an error.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from backend.prelabel.errors import PlaceError, Reason
from stvg_core.datasets.base import contradict, split_ending, video_stem
from stvg_core.text import printable

LOOSE = 2
"""From this level on the file's name is another one than the name that was looked for."""


@dataclass(frozen=True)
class Match:
    """A file below the folder, and how strictly its name was compared: 0 is the path itself."""

    path: str
    level: int


class Listing:
    """The files below a folder, listed once.

    Args:
        files: their paths below the folder, with ``/``, and their sizes in bytes where those are known.
        where: what the folder is called in messages.
    """

    def __init__(self, files: Mapping[str, int | None], where: str) -> None:
        self.files, self._where = files, where

    @cached_property
    def _composed(self) -> dict[str, list[str]]:
        """The paths, by how they are written with composed accents."""
        return _grouped(self.files, _nfc)

    @cached_property
    def _stems(self) -> dict[str, list[str]]:
        """The paths of videos, by what remains of the name in every format."""
        return _grouped((path for path in self.files if split_ending(path.rpartition("/")[2])[1]), video_stem)

    def exact(self, name: str) -> Match | None:
        """The file of that path, in whichever way its accents are written. Raises PlaceError where two are."""
        name = _plain(name)
        if name in self.files:
            return Match(name, 0)
        return self._one(name, self._composed.get(_nfc(name), []), 0)

    def find(self, name: str) -> Match:
        """Raises PlaceError: there is no such file, or there are several."""
        found = self.exact(name)
        if found is not None:
            return found
        name = _plain(name)
        bare = _without_ending(name)
        alike = self._stems.get(video_stem(name), [])
        bare = _without_ending(name)
        levels = (
            [path for path in alike if not contradict(name, path)],
            [path for path in alike if not contradict(bare, path)],
            [path for path in alike if not contradict(bare.casefold(), path.casefold())],
        )
        for level, paths in enumerate(levels, start=1):
            match = self._one(name, paths, level)
            if match is not None:
                return match
        raise PlaceError(Reason.MISSING, f"There is no video {printable(name)} below {self._where}.")

    def _one(self, name: str, paths: list[str], level: int) -> Match | None:
        if len(paths) > 1:
            shown = " and ".join(printable(path) for path in sorted(paths)[:2])
            raise PlaceError(
                Reason.AMBIGUOUS,
                f"{len(paths)} files below {self._where} could be {printable(name)}: {shown}. Keep one of them, or "
                "name its folder.",
            )
        return Match(paths[0], level) if paths else None


def _grouped(paths: Iterable[str], by: Callable[[str], str]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(by(path), []).append(path)
    return groups


def _plain(name: str) -> str:
    return name.replace("\\", "/").strip("/").removeprefix("./")


def _nfc(path: str) -> str:
    return unicodedata.normalize("NFC", path)


def _without_ending(name: str) -> str:
    folder, mark, last = name.rpartition("/")
    return folder + mark + split_ending(last)[0]
