"""Proposals kept on disk: the same video is not searched twice, whatever it is called and whoever asks."""

from __future__ import annotations

import hashlib
import logging
import os
import tempfile
import time
import zlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from stvg_core.errors import VideoError
from stvg_core.proposals.base import Proposer, Searching
from stvg_core.proposals.following import DrawnBox
from stvg_core.proposals.track_bytes import from_bytes, to_bytes
from stvg_core.tube import Array, Track, VideoInfo
from stvg_core.video import Pictures

_log = logging.getLogger(__name__)
_ENDING, _UNFINISHED = ".tracks.npz", ".unfinished"
_ABANDONED_S = 3600.0  # an unfinished file this old was left behind by a process that died


class CachedProposer(Searching):
    """Asks another proposer only for what is not in the folder yet.

    An entry belongs to the video's content (or to a part of it), the proposer's name and, where it matters, the words.
    Entries are written whole or not at all, so that processes can share a folder; damaged ones are made anew. A folder
    that cannot be written costs time, not answers.

    Args:
        inner: the proposer; its name must tell models and thresholds apart.
        folder: made where it is missing.
        max_bytes: of all entries together; those that were not used for the longest time go first.
    """

    def __init__(self, inner: Proposer, folder: Path, *, max_bytes: int = 512 * 2**20) -> None:
        self._inner, self._folder, self._max_bytes = inner, Path(folder), max_bytes
        self.name, self.weight, self.uses_phrase = inner.name, inner.weight, inner.uses_phrase

    def load(self) -> None:
        """As the inner proposer."""
        self._inner.load()

    def looks_at(self, info: VideoInfo) -> Array:
        """As the inner proposer; none where the answer is known already, whatever the phrase."""
        if not self.uses_phrase and self._file(self._key(info, *self.words(None))).exists():
            return np.zeros(0, np.int64)
        return self._inner.looks_at(info)

    def words(self, phrase: str | None) -> Sequence[str]:
        """As the inner proposer."""
        return self._inner.words(phrase)

    def search(self, video: Pictures, words: str) -> list[Track]:
        """As the inner proposer.

        Raises:
            VideoError: the file cannot be read; and what the inner proposer raises.
        """
        key = self._key(video.info, words)
        file = self._file(key)
        known = self._read(file, key)
        if known is None:
            known = self._inner.search(video, words)
            self._write(file, to_bytes(known, key))
        return known

    def densify(self, video: Pictures, track: Track, start: int, end: int) -> Track:
        """As the inner proposer; it depends on the interval, so it is not kept."""
        return self._inner.densify(video, track, start, end)

    def follow(self, video: Pictures, drawn: DrawnBox) -> Track:
        """As the inner proposer; it depends on the box, so it is not kept."""
        return self._inner.follow(video, drawn)

    def _key(self, info: VideoInfo, words: str) -> str:
        part = [] if info.segment is None else [f"frames {info.segment[0]} to {info.segment[1]}"]
        return "\n".join([content_hash(info.path), self.name, words, *part])

    def _file(self, key: str) -> Path:
        return self._folder / f"{hashlib.sha256(key.encode()).hexdigest()}{_ENDING}"

    @staticmethod
    def _read(file: Path, key: str) -> list[Track] | None:
        try:
            tracks = from_bytes(file.read_bytes(), key)
            os.utime(file)  # used just now: the last to go
            return tracks
        except FileNotFoundError:
            return None
        except (OSError, ValueError, zlib.error) as error:
            _log.warning("Kept proposals in %s cannot be used and are made anew: %s", file, error)
            return None

    def _write(self, file: Path, data: bytes) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            handle, unfinished = tempfile.mkstemp(suffix=_UNFINISHED, dir=self._folder)
            try:
                with os.fdopen(handle, "wb") as stream:
                    stream.write(data)
                Path(unfinished).replace(file)
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
            self._make_room(file)
        except OSError as error:
            _log.warning("Proposals cannot be kept in %s: %s", self._folder, error)

    def _make_room(self, newest: Path) -> None:
        entries = []
        for file in self._folder.iterdir():
            try:
                status = file.stat()
            except FileNotFoundError:
                continue  # another process made room, too
            if file.name.endswith(_ENDING):
                entries.append((status.st_mtime_ns, status.st_size, file))
            elif file.name.endswith(_UNFINISHED) and status.st_mtime < time.time() - _ABANDONED_S:
                file.unlink(missing_ok=True)
        size = sum(entry[1] for entry in entries)
        for _, freed, file in sorted(entries, key=lambda entry: entry[0]):
            if size <= self._max_bytes:
                return
            if file != newest:
                file.unlink(missing_ok=True)
                size -= freed


def content_hash(path: str | Path) -> str:
    """SHA-256 of a file's bytes in hex; read again only when its time or size have changed.

    Raises:
        VideoError: the file cannot be read.
    """
    try:
        status = Path(path).stat()
        return _content_hash(str(Path(path).resolve()), status.st_mtime_ns, status.st_size)
    except OSError as error:
        raise VideoError(f"{Path(path).name} cannot be read: {error.strerror}. Is the file still there?") from error


@lru_cache(maxsize=1024)
def _content_hash(path: str, modified_ns: int, size: int) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
