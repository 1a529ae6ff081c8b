"""Give me the video of this task as a local file."""

from __future__ import annotations

import base64
import errno
import hashlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.addresses import safe_name
from backend.media.cache import MediaCache
from backend.media.cloud import CloudFiles
from backend.media.download import Downloader
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.fetching import Fetch, fetch_here
from backend.media.file import MediaFile
from backend.media.file_address import file_path, is_file_address
from backend.media.source import Local, Remote, Stored, find_source
from backend.media.watch import Alive, TooLate, Watch
from backend.routes import Owner, stored_path
from stvg_core.text import printable

logger = logging.getLogger(__name__)

_FULL = (errno.ENOSPC, errno.EDQUOT)
_PIECE = 8 << 20


@dataclass(frozen=True)
class Own:
    """An object of a storage that is fetched without Label Studio: for local projects only."""

    address: str


class MediaLibrary:
    """Finds, fetches and keeps videos; safe to use from several processes on one folder.

    Args:
        fetch: what has the downloader, or the cloud's storages, fetch an address (:mod:`backend.media.fetching`).
    """

    def __init__(
        self,
        cache: MediaCache,
        downloader: Downloader,
        *,
        document_root: Path | None = None,
        cloud: CloudFiles | None = None,
        fetch: Fetch = fetch_here,
        tries: int = 3,
        pause_s: float = 1.0,
    ) -> None:
        self._cache, self._downloader = cache, downloader
        self._document_root, self._cloud, self._fetch = document_root, cloud or CloudFiles(), fetch
        self._tries, self._pause_s = tries, pause_s
        self._hashes: dict[tuple[Path, int, int], str] = {}

    def fetch(
        self, ref: str, *, task: int | None = None, project: int | None = None, alive: Alive | None = None
    ) -> MediaFile:
        """The video that a task's address names.

        Args:
            task, project: Label Studio's numbers. An object of a storage is given out for a task or project only, and
                what its address means depends on the project's storages. A negative project is a local one, whose
                addresses a person at this machine wrote: they may name files of it, and objects of storages, which are
                fetched without Label Studio.
            alive: called several times a second, as bytes come; what it raises ends the work, and nothing remains.

        Raises:
            MediaUnavailable: the source did not answer, several times.
            MediaError: the address is refused, the source has no such video, it is too large, or the disk is full.
        """
        source = self._source(ref, project)
        try:
            if isinstance(source, Own):
                return self._own(source.address, alive)
            if isinstance(source, Local):
                return self._local(source.path, alive)
            if isinstance(source, Stored):
                url = self._signed(source, task, project)
                return self._remote(_key(source, project), source.name, url, alive)
            return self._remote(source.url, source.name, source.url, alive)
        except OSError as error:
            if error.errno in _FULL:
                raise MediaError("The disk is full: the video cannot be kept. Free some space and retry.") from None
            raise MediaError(f"The video cannot be read or kept on this machine: {error.strerror}.") from None

    def here(self, ref: str, *, project: int | None = None) -> MediaFile | None:
        """The video, if it is on this machine already; nothing is asked of any other. Raises as :meth:`fetch`."""
        source = self._source(ref, project)
        if isinstance(source, Local):
            return self.fetch(ref, project=project)
        return self._cache.find(_key(source, project))

    def make_room_beside(self, file: Path) -> int:
        """Remove the longest unused videos if they lie on the disk of this file; returns how many bytes went."""
        if not self._cache.is_beside(file):
            return 0
        freed = self._cache.make_room()
        if freed:
            logger.warning("the disk of %s is nearly full; %d bytes of fetched videos were removed", file.name, freed)
        return freed

    def file_of(self, ref: str, *, project: int | None = None) -> Path | None:
        """The file of this machine that an address names; None where it names none. Raises MediaError: it is not there.

        Nothing is read.
        """
        source = self._source(ref, project)
        return source.path if isinstance(source, Local) else None

    def _source(self, ref: str, project: int | None) -> Local | Remote | Stored | Own:
        if _written_here(project):
            if is_file_address(ref):
                return Local(_there(file_path(ref)))
            if self._cloud.is_cloud(ref):
                return Own(ref.strip())
        return find_source(ref, place=self._downloader.place, document_root=self._document_root)

    def _signed(self, source: Stored, task: int | None, project: int | None) -> str:
        """Where Label Studio gives out an object of a storage: it answers with the bytes or with a signed address."""
        place = self._downloader.place
        if place.url is None:
            raise MediaError(
                f"{source.address} is fetched through Label Studio, whose address is not known here. Set "
                "STVG_LABEL_STUDIO_URL and STVG_LABEL_STUDIO_TOKEN."
            )
        owner = source.owner or (
            Owner("tasks", task) if task is not None else None if project is None else Owner("projects", project)
        )
        if owner is None:
            raise MediaError(f"{source.address} can be fetched only for a task or project of Label Studio.")
        encoded = base64.urlsafe_b64encode(source.address.encode()).decode()
        return place.full(stored_path(owner, encoded))

    def _local(self, path: Path, alive: Alive | None) -> MediaFile:
        facts = path.stat()
        if facts.st_size > self._downloader.max_bytes:
            raise MediaError(f"{path.name} is larger than STVG_MAX_VIDEO_BYTES allows.")
        key = (path, facts.st_size, facts.st_mtime_ns)
        if key not in self._hashes:
            self._hashes[key] = _sha256(path, alive)
        return MediaFile(path, self._hashes[key], facts.st_size)

    def _own(self, address: str, alive: Alive | None) -> MediaFile:
        """An object of a storage that a local project names."""

        def fetch(file: BinaryIO) -> tuple[str, int]:
            return self._fetch(self._cloud, address, file, alive)

        return self._kept(address, safe_name(address), fetch, alive)

    def _remote(self, key: str, name: str, url: str, alive: Alive | None) -> MediaFile:
        """What the cache knows as ``key``, else what ``url`` gives."""
        return self._kept(key, name, lambda file: self._download(url, file, alive), alive)

    def _kept(
        self, key: str, name: str, fetch: Callable[[BinaryIO], tuple[str, int]], alive: Alive | None
    ) -> MediaFile:
        patience = Watch(self._tries * self._downloader.deadline_s, alive)
        while True:
            try:
                return self._cache.find_or_store(key, name, fetch, patience.look)
            except TooLate:
                raise MediaUnavailable(f"Another process has been fetching {name} for too long.") from None
            except OSError as error:
                if error.errno not in _FULL or not self._cache.make_room():
                    raise
            logger.warning("disk full while fetching a video; the longest unused ones were removed")

    def _download(self, url: str, file: BinaryIO, alive: Alive | None) -> tuple[str, int]:
        for attempt in range(self._tries):
            try:
                return self._fetch(self._downloader, url, file, alive)
            except MediaUnavailable as error:
                if attempt == self._tries - 1:
                    raise
                logger.info("fetching a video failed, another try follows: %s", error)
                file.seek(0)
                file.truncate()
                Watch(math.inf, alive).wait(pause(self._pause_s, attempt))
        raise AssertionError("at least one try")


def pause(first_s: float, attempt: int) -> float:
    """Seconds to rest after the try number ``attempt``, from 0 on, that a source did not answer: longer each time."""
    return first_s * float(2**attempt)


def _written_here(project: int | None) -> bool:
    """Did a person at this machine write the project's addresses, and not Label Studio?"""
    return project is not None and project < 0


def _sha256(path: Path, alive: Alive | None) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
            if alive is not None:
                alive()
    return digest.hexdigest()


def _there(path: Path) -> Path:
    if not path.is_file():
        raise MediaError(f"There is no video {printable(str(path))} on this machine.")
    return path


def _key(source: Remote | Stored | Own, project: int | None) -> str:
    """What a video is known by in the cache. Two projects may reach other stores by the same storage address."""
    if isinstance(source, Remote):
        return source.url
    if isinstance(source, Own):
        return source.address
    return source.address if project is None else f"{source.address}#project-{project}"
