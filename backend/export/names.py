"""What is a video called in a dataset? By its own name; one name never means two videos."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from backend.media.location import escaped, location
from stvg_core.datasets.base import split_ending

_HASH_DIGITS = 8
_STEM_BYTES = 150
"""File systems take 255 bytes for a name, endings and a temporary's marks included."""
_NOT_IN_FILES = re.compile(r'[<>:"/\\|?*]')
_FRONTS = ("", ".", "-", "=", "+", "@", "~")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)


class VideoNames:
    """Gives each video (an address's file and its content) the file name that it has, unless two would be one.

    Videos of one name in several folders keep as much of their folders as tells them apart. Nothing in a name leads
    out of a folder.

    Attributes:
        renamed: the names that had to differ from the video's own, because another video has that one.
    """

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        """``addresses``: of all videos that may come, so that the first of two with one name gets its folder too."""
        self._places = {location(address) for address in addresses}
        self._endings = Counter(ending for place in self._places for ending in _endings(place))
        self._names = _Taken(str)
        self._stems = _Taken(_same_file)
        self._given: dict[tuple[str, str], str] = {}
        self.renamed: list[str] = []

    def name(self, video_ref: str, sha256: str) -> str:
        """The name for formats that allow any: the video's own, where needed with folders or part of its hash."""
        place = location(video_ref)
        if (place, sha256) not in self._given:
            name = self._names.take(self._candidates(place, sha256), f"{place}\0{sha256}")
            self._given[place, sha256] = name
            if name != _harmless(place.rpartition("/")[2]):
                self.renamed.append(name)
        return self._given[place, sha256]

    def stem(self, video_ref: str, sha256: str) -> str:
        """The name for folders and for files about the video: what all common file systems take, without ending.

        Two never differ by case or by the way of writing an accent alone.
        """
        name = self.name(video_ref, sha256)
        first, second = _file_name(split_ending(name)[0]), _file_name(name)
        hashed = (f"{first}-{sha256[:digits]}" for digits in range(_HASH_DIGITS, len(sha256) + 1))
        return self._stems.take([first, second, *hashed, f"{first}-{sha256}-{len(self._given)}"], name)

    def _candidates(self, place: str, sha256: str) -> Iterator[str]:
        folders = place.split("/")
        own = place in self._places  # then it is counted itself
        others = self._endings[folders[-1]] > own
        for depth, ending in enumerate(_endings(place), start=1):
            if depth == len(folders) or self._endings[ending] <= own:
                yield "/".join(_harmless(folder) for folder in folders[-depth:])
        first, ending = split_ending("/".join(map(_harmless, folders)) if others else _harmless(folders[-1]))
        for digits in range(_HASH_DIGITS, len(sha256) + 1):
            yield f"{first}-{sha256[:digits]}{ending and '.'}{ending}"
        for number in range(2, 10_000):
            yield f"{first}-{sha256}-{number}{ending and '.'}{ending}"


def _endings(place: str) -> Iterator[str]:
    """``a/b/c.mp4`` -> ``c.mp4``, ``b/c.mp4``, ``a/b/c.mp4``"""
    folders = place.split("/")
    return ("/".join(folders[-depth:]) for depth in range(1, len(folders) + 1))


class _Taken:
    """Who has which name; ``same`` maps names that must not stand for two to one."""

    def __init__(self, same: Callable[[str], str]) -> None:
        self._same = same
        self._holders: dict[str, str] = {}

    def take(self, candidates: Iterable[str], holder: str) -> str:
        """The first that nobody else has."""
        for name in candidates:
            if self._holders.setdefault(self._same(name), holder) == holder:
                return name
        raise AssertionError("a whole hash names one content")


def _same_file(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _harmless(part: str) -> str:
    """One part of a path as it is, but for what Windows would take for a folder or a drive."""
    return re.sub(r"^([A-Za-z]):", r"\1_", escaped(part).replace("\\", "_")) or "video"


def _file_name(name: str) -> str:
    """What Linux, macOS and Windows take for a file's name, and nobody for an option, a hidden file or a formula."""
    kept = "".join("_" if unicodedata.category(ch).startswith("C") else ch for ch in _NOT_IN_FILES.sub("_", name))
    kept = kept.encode()[:_STEM_BYTES].decode(errors="ignore").strip(" ").rstrip(".")
    return f"_{kept}" if kept[:1] in _FRONTS or _RESERVED.match(kept) else kept
