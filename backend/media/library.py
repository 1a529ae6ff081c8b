"""Give me the video of this task as a local file."""

from __future__ import annotations

import errno
import hashlib
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.source import Local, Remote, find_source

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class MediaFile:
    """A video on this machine. ``sha256`` is of its bytes."""

    path: Path
    sha256: str
    size_bytes: int


class MediaLibrary:
    """Finds, fetches and keeps videos; safe to use from several processes on one folder."""

    def __init__(
        self,
        cache: MediaCache,
        downloader: Downloader,
        *,
        document_root: Path | None = None,
        tries: int = 3,
        pause_s: float = 1.0,
    ) -> None:
        self._cache, self._downloader = cache, downloader
        self._document_root = document_root
        self._tries, self._pause_s = tries, pause_s
        self._hashes: dict[tuple[Path, int, int], str] = {}

    def fetch(self, ref: str) -> MediaFile:
        """The video that a task's address names.

        Raises:
            MediaUnavailable: the source did not answer, several times.
            MediaError: the address is refused, the source has no such video, it is too large, or the disk is full.
        """
        label_studio_url = self._downloader.label_studio_url
        source = find_source(ref, label_studio_url=label_studio_url, document_root=self._document_root)
        try:
            return self._local(source.path) if isinstance(source, Local) else self._remote(source)
        except OSError as error:
            if error.errno in _FULL:
                raise MediaError("The disk is full: the video cannot be kept. Free some space and retry.") from None
            raise MediaError(f"The video cannot be read or kept on this machine: {error.strerror}.") from None

    def here(self, ref: str) -> MediaFile | None:
        """The video, if it is on this machine already; nothing is asked of any other. Raises as :meth:`fetch`."""
        label_studio_url = self._downloader.label_studio_url
        source = find_source(ref, label_studio_url=label_studio_url, document_root=self._document_root)
        if isinstance(source, Local):
            return self.fetch(ref)
        found = self._cache.find(source.url)
        return None if found is None else MediaFile(*found)

    def _local(self, path: Path) -> MediaFile:
        facts = path.stat()
        if facts.st_size > self._downloader.max_bytes:
            raise MediaError(f"{path.name} is larger than STVG_MAX_VIDEO_BYTES allows.")
        key = (path, facts.st_size, facts.st_mtime_ns)
        if key not in self._hashes:
            with path.open("rb") as file:
                self._hashes[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return MediaFile(path, self._hashes[key], facts.st_size)

    def _remote(self, source: Remote) -> MediaFile:
        found = self._cache.find(source.url)
        if found is None:
            try:
                found = self._download(source)
            except OSError as error:
                if error.errno not in _FULL or not self._cache.evict(self._cache.max_bytes // 2):
                    raise
                logger.warning("disk full while fetching a video; the longest unused ones were removed")
                found = self._download(source)
        return MediaFile(*found)

    def _download(self, source: Remote) -> tuple[Path, str, int]:
        for attempt in range(self._tries):
            try:
                return self._cache.store(source.url, source.name, lambda file: self._downloader.fetch(source.url, file))
            except MediaUnavailable as error:
                if attempt == self._tries - 1:
                    raise
                logger.info("fetching a video failed, another try follows: %s", error)
                time.sleep(self._pause_s * 2**attempt)
        raise AssertionError("at least one try")
