"""Which file below a folder is the video that a dataset names? By its address first, then by name; never by a guess."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.media.location import local_file, location
from stvg_core.datasets.base import (
    VIDEO_ENDINGS,
    DatasetError,
    VideoLabel,
    VideoPlace,
    base_name,
    contradict,
    split_ending,
    video_stem,
)

_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
"""Label Studio puts eight digits before the names of files that are uploaded."""


@dataclass(frozen=True)
class Wanted:
    """What a label says of its video: the name in the dataset, and where it came from if the dataset says so."""

    name: str
    place: VideoPlace | None = None

    @classmethod
    def of(cls, label: VideoLabel) -> Wanted:
        return cls(label.video, label.place)

    @property
    def path(self) -> str:
        """Folders and file name, as far as they are known."""
        return (location(self.place.address) if self.place else "") or self.name.replace("\\", "/").strip("/")

    @property
    def sha256(self) -> str | None:
        return self.place.sha256 if self.place else None


_EXACT = 1
"""Up to this level the whole address is found."""


@dataclass(frozen=True)
class _Found:
    """``level`` counts up from 0, the address itself, to a name with another ending."""

    path: Path
    level: int


class VideoFolder:
    """The videos below a folder, found by name: ending, case and subfolder may differ where only one can be meant.

    Where several could be, the hash of the bytes decides, if the dataset says it.

    Attributes:
        doubts: sentences about files that were found by name alone and hold other bytes than the dataset says.
    """

    def __init__(self, folder: Path, document_root: Path | None = None) -> None:
        """``document_root`` is what addresses of local files in Label Studio start from."""
        self._folder = folder
        self._root = None if document_root is None else document_root.resolve()
        self._files: dict[Path, Path] = {}
        self._by: list[dict[str, list[Path]]] = [{} for _ in _KEYS]
        self._hashes: dict[Path, str] = {}
        self.doubts: list[str] = []
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            self._files[path.resolve()] = path
            if path.suffix.lower().lstrip(".") not in VIDEO_ENDINGS:
                self._by[0].setdefault(path.name, []).append(path)  # a video may have any ending, or none
                continue
            for known, keys in zip(self._by, _KEYS, strict=True):
                for key in keys(path.name):
                    known.setdefault(key, []).append(path)

    def find(self, name: str, place: VideoPlace | None = None) -> Path:
        """Raises :class:`DatasetError`: no such video, or several that the name does not tell apart."""
        return self._find(Wanted(name, place)).path

    def find_all(self, wanted: set[Wanted]) -> dict[Wanted, Path | DatasetError]:
        """Each one's video. Of names that contradict each other, one file answers to the best at most."""
        result: dict[Wanted, Path | DatasetError] = {}
        claims: dict[Path, dict[Wanted, int]] = {}
        for one in sorted(wanted, key=lambda one: (one.path, one.name, one.sha256 or "")):
            try:
                found = self._find(one)
            except DatasetError as error:
                result[one] = error
                continue
            result[one] = found.path
            claims.setdefault(found.path, {})[one] = found.level
        for path, levels in claims.items():
            for one, rival in self._losers(path, levels).items():
                result[one] = DatasetError(
                    f"{path} could be {one.path}, but also {rival.path}, and they cannot be one video. Put both there."
                    if one.path != rival.path
                    else f"{path} is not the video that was labelled: its content is another."
                )
        return result

    def _losers(self, path: Path, levels: dict[Wanted, int]) -> dict[Wanted, Wanted]:
        """Who cannot mean the file that others mean, and one of these others.

        The hash decides, else the stricter way of comparing; two that are equally near both lose.
        """
        pairs = [(one, other) for one in levels for other in levels if one != other and _apart(one, other)]
        real = self._hash(path) if any(one.sha256 for one, _ in pairs) else None
        wrong = {one for one, _ in pairs if one.sha256 not in (None, real)}
        losers = {}
        for one, other in pairs:
            if one.sha256 and one not in wrong:
                continue
            beaten = other not in wrong and (other.sha256 is not None or levels[other] <= levels[one])
            if one in wrong or beaten:
                losers[one] = other
        return losers

    def _find(self, wanted: Wanted) -> _Found:
        for level, candidates in enumerate(self._levels(wanted)):
            if len(candidates) > 1 and wanted.sha256:
                candidates = [path for path in candidates if self._hash(path) == wanted.sha256] or candidates
            if len(candidates) > 1:
                raise DatasetError(
                    f"Several videos could be {wanted.path}: {candidates[0]} and {candidates[1]}. Keep one of them."
                )
            if candidates:
                if level > _EXACT and wanted.sha256 and self._hash(candidates[0]) != wanted.sha256:
                    self.doubts.append(
                        f"{candidates[0]} is taken for {wanted.path}, but its bytes are not those that were labelled: "
                        "is it the same video?"
                    )
                return _Found(candidates[0], level)
        raise DatasetError(f"There is no video {wanted.path} below {self._folder}.")

    def _levels(self, wanted: Wanted) -> Iterator[list[Path]]:
        """The videos that could be meant, level by level."""
        address = wanted.place.address if wanted.place else ""
        if self._root is not None and local_file(address):
            path = self._files.get(self._root / wanted.path)
            yield [path] if path else []
        else:
            yield []
        exact = self._by[0].get(base_name(wanted.path), []) or self._by[0].get(wanted.path.rpartition("/")[2], [])
        yield [path for path in exact if path.absolute().as_posix().endswith(f"/{wanted.path}")]
        last = wanted.path.rpartition("/")[2]
        for known, keys in zip(self._by, _KEYS, strict=True):
            yield list(dict.fromkeys(path for key in keys(last)[:1] for path in known.get(key, [])))
        uploaded = _UPLOADED.fullmatch(last)
        if uploaded and wanted.sha256:
            named = self._by[0].get(uploaded.group(1), [])
            yield [path for path in named if self._hash(path) == wanted.sha256]

    def _hash(self, path: Path) -> str:
        """Of the bytes; "" where they cannot be read, which is said when the video is opened."""
        if path not in self._hashes:
            try:
                with path.open("rb") as file:
                    self._hashes[path] = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError:
                self._hashes[path] = ""
        return self._hashes[path]


def _apart(one: Wanted, other: Wanted) -> bool:
    """Can the two not be the same video?"""
    if one.sha256 and other.sha256:
        return one.sha256 != other.sha256
    return contradict(one.path, other.path)


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", _composed(name).casefold())


# Keys of a file's name, from the strictest way of comparing to the loosest. A name is looked up by its first key; the
# second one, without ending, is there for names that have none.
_KEYS: tuple[Callable[[str], list[str]], ...] = (
    lambda name: [name, split_ending(name)[0]],
    lambda name: [_composed(name), _composed(split_ending(name)[0])],
    lambda name: [_folded(name), _folded(split_ending(name)[0])],
    lambda name: [video_stem(name)],
)
