"""Is a video there, and how large is it? Asked without fetching it."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from backend.media.cloud import CloudFiles
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.file_address import file_path, is_file_address
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import Local, Remote, find_source
from backend.media.watch import Alive
from backend.prelabel.errors import PlaceError, Reason
from backend.prelabel.item import Item
from stvg_core.errors import VideoError
from stvg_core.text import printable
from stvg_core.tube import VideoInfo

Fetch = Callable[[str, BinaryIO], object]


class Look:
    """What is known of an item's video before it is fetched.

    Args:
        place: Label Studio, under all of its names.
        document_root: Label Studio's, where this machine sees it.
        fetch: writes what is at a web address into a file, after its host was checked; it is stopped at the first
            bytes.
        probe: what is in a file of this machine; None looks no further than its size.
        alive: called several times a second while a storage is asked; it may raise, to give up.
    """

    def __init__(
        self, *, place: LabelStudioPlace | None = None, document_root: Path | None = None,
        cloud: CloudFiles | None = None, fetch: Fetch | None = None, probe: Callable[[Path], VideoInfo] | None = None,
        alive: Alive | None = None,
    ) -> None:  # fmt: skip
        self._place, self._document_root = place or LabelStudioPlace(), document_root
        self._cloud, self._fetch, self._probe = cloud or CloudFiles(), fetch, probe
        self._alive = alive

    def __call__(self, item: Item) -> Seen:
        """Raises PlaceError where the video cannot be had, or is none."""
        try:
            return self._look(item)
        except MediaUnavailable as error:
            raise PlaceError(Reason.UNREACHABLE, str(error)) from None
        except MediaError as error:
            raise PlaceError(Reason.REFUSED, str(error)) from None
        except VideoError as error:
            raise PlaceError(Reason.NO_VIDEO, str(error)) from None

    def _look(self, item: Item) -> Seen:
        address = item.video_ref
        if is_file_address(address):
            return self._file(file_path(address))
        if item.project is None and self._cloud.is_cloud(address):
            size = item.size_bytes if item.size_bytes is not None else self._cloud.size(address, self._alive)
            if size == 0:
                raise PlaceError(Reason.NO_VIDEO, f"{printable(address)} is an empty file.")
            return Seen(size, remote=True)
        source = find_source(address, place=self._place, document_root=self._document_root)
        if isinstance(source, Local):
            return self._file(source.path)
        if isinstance(source, Remote) and self._fetch is not None:
            self._answers(source.url, self._fetch)
            return Seen(None, remote=True)
        return Seen(None, remote=True, asked=False)

    def _file(self, path: Path) -> Seen:
        try:
            if not path.is_file():
                raise PlaceError(Reason.MISSING, f"There is no video {printable(str(path))}.")
            size = path.stat().st_size
            with path.open("rb"):
                pass
        except OSError as error:
            raise PlaceError(Reason.REFUSED, f"{printable(str(path))} cannot be read: {error.strerror}.") from None
        if size == 0:
            raise PlaceError(Reason.NO_VIDEO, f"{printable(str(path))} is an empty file.")
        return Seen(size, info=None if self._probe is None else self._probe(path))

    def _answers(self, url: str, fetch: Fetch) -> None:
        """Ask for the video as it will be asked for, and stop at its first bytes."""
        with suppress(_Enough):
            fetch(url, _FirstBytes())


class Seen:
    """What a look at a video told.

    Attributes:
        size_bytes: None where its server was not asked for it.
        remote: must it be fetched?
        asked: was its server asked at all? An object of Label Studio's storages is given out for a task only.
        info: what is in it, where it was probed.
    """

    __slots__ = ("asked", "info", "remote", "size_bytes")

    def __init__(
        self, size_bytes: int | None, *, remote: bool = False, asked: bool = True, info: VideoInfo | None = None
    ) -> None:
        self.size_bytes, self.remote, self.asked, self.info = size_bytes, remote, asked, info


class _Enough(Exception):
    """The first bytes came."""


class _FirstBytes(io.BytesIO):
    def write(self, data: object) -> int:
        raise _Enough
