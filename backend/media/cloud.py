"""How is an object of a cloud storage fetched, where no Label Studio stands between? Through fsspec.

Log-ins come from where the storage's own library looks for them (``AWS_ACCESS_KEY_ID``,
``GOOGLE_APPLICATION_CREDENTIALS``, ``AZURE_STORAGE_ACCOUNT_NAME``, a profile, the machine's role), never from an
address. Web addresses do not come here: :mod:`backend.media.download` checks their hosts first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from backend.media.cloud_services import SERVICES, Service
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.watch import Alive, TooLate, Watch
from stvg_core.text import shown

_CHUNK = 1 << 20
_BLOCK = 4 << 20
"""Bytes in one request."""
_NO_LOG_IN = ("credential", "authentication", "refresherror", "token")  # as in NoCredentialsError, of botocore
"""Parts of the names of what the libraries raise where they find no log-in that works."""


@dataclass(frozen=True)
class CloudFile:
    """A file in a listing: its path below what was listed, and its bytes where the storage says how many."""

    path: str
    size_bytes: int | None


@dataclass(frozen=True)
class CloudFiles:
    """Objects of cloud storages.

    Attributes:
        max_bytes: of one video.
        timeout_s, deadline_s: for one answer of the storage; for a whole transfer.
        services: replaced in tests.
    """

    max_bytes: int = 4 << 30
    timeout_s: float = 30.0
    deadline_s: float = 1800.0
    services: Mapping[str, Service] = field(default_factory=lambda: SERVICES)

    def is_cloud(self, address: str) -> bool:
        """Does the address lie in a storage that is known here, whether or not its library is installed?"""
        scheme, mark, _ = address.partition("://")
        return bool(mark) and scheme.strip().lower() in self.services

    def check(self, address: str) -> None:
        """Raise MediaError for an address that names no object, or carries a log-in; nothing is asked."""
        self._split(address, object_needed=True)

    def fetch(self, url: str, file: BinaryIO, alive: Alive | None = None) -> tuple[str, int]:
        """Write the object to ``file``; returns its sha256 in hex and its size in bytes.

        Args:
            alive: called several times a second; what it raises ends the transfer at once.

        Raises:
            MediaUnavailable: no answer, an answer cut short, or not complete within the deadline.
            MediaError: everything that would not change by asking again.
            OSError: ``file`` cannot be written.
        """
        try:
            return self._fetch(url, file, Watch(self.deadline_s, alive))
        except TooLate:
            raise MediaUnavailable(f"{shown(url)} was not complete after {self.deadline_s:g} s.") from None

    def _fetch(self, url: str, file: BinaryIO, watch: Watch) -> tuple[str, int]:
        system, path = self._system(url, object_needed=True)
        expected = watch.within(lambda: self._size(system, path, url))
        if expected is not None and expected > self.max_bytes:
            raise self._too_large(url)
        digest, size = hashlib.sha256(), 0
        in_words = _in_words(url)
        with closing(watch.within(in_words(lambda: system.open(path, "rb", block_size=_BLOCK)))) as source:
            read: Callable[[], bytes] = in_words(lambda: source.read(_CHUNK))
            while chunk := watch.within(read):
                size += len(chunk)
                if size > self.max_bytes:
                    raise self._too_large(url)
                digest.update(chunk)
                file.write(chunk)
        if expected is not None and size != expected:
            raise MediaUnavailable(f"{shown(url)} ended after {size} of {expected} bytes.")
        if size == 0:
            raise MediaError(f"{shown(url)} is an empty file.")
        return digest.hexdigest(), size

    def size(self, url: str, alive: Alive | None = None) -> int | None:
        """How many bytes an object has, None where the storage does not say. Rest as of :meth:`fetch`."""
        system, path = self._system(url, object_needed=True)
        try:
            return Watch(self.deadline_s, alive).within(lambda: self._size(system, path, url))
        except TooLate:
            raise MediaUnavailable(f"{shown(url)} was not looked up after {self.deadline_s:g} s.") from None

    def is_folder(self, url: str) -> bool:
        """Is there no object of that name, but some below it? Raises as :meth:`fetch`, also where there is nothing."""
        system, path = self._system(url, object_needed=False)
        with _in_words(url):
            return bool(system.info(path).get("type") == "directory")

    def is_there(self, url: str) -> bool:
        """Is there an object or a folder of that name? Raises as :meth:`fetch`, but not where there is nothing."""
        system, path = self._system(url, object_needed=False)
        with _in_words(url):
            return bool(system.exists(path))

    def listing(self, url: str, *, deep: bool = True) -> Iterator[CloudFile]:
        """The files below a folder or bucket, those of its subfolders too if ``deep``. Raises as :meth:`fetch`."""
        system, path = self._system(url, object_needed=False)
        with _in_words(url):
            # Not find(maxdepth=1), which adlfs does not know.
            found: list[dict[str, Any]] = (
                list(system.find(path, detail=True).values()) if deep else system.ls(path, detail=True)
            )
        above = path.strip("/") + "/"
        for facts in found:
            below = str(facts.get("name", "")).strip("/")
            if below.startswith(above) and facts.get("type", "file") == "file":
                size = facts.get("size")
                yield CloudFile(below.removeprefix(above), size if isinstance(size, int) else None)

    def _size(self, system: Any, path: str, url: str) -> int | None:
        with _in_words(url):
            facts = system.info(path)
        if facts.get("type") == "directory":
            raise MediaError(f"{shown(url)} is a folder, not a file.")
        size = facts.get("size")
        return size if isinstance(size, int) else None

    def _split(self, address: str, *, object_needed: bool) -> tuple[Service, str]:
        """Whose address it is, and bucket and key in it, as they are written."""
        scheme, mark, rest = address.strip().partition("://")
        service = self.services.get(scheme.lower())
        if service is None or not mark:
            raise MediaError(f"{scheme!r} is no storage that is known here: {', '.join(self.services)}.")
        bucket, _, key = rest.partition("/")
        if "@" in bucket:
            raise MediaError(
                f"A {scheme} address holds no log-in or account: write {scheme}://bucket/folder/video.mp4. The log-in "
                "comes from the environment, as the storage's own tools take it."
            )
        if any(ord(ch) < 32 or ch == "\x7f" or "\ud800" <= ch <= "\udfff" for ch in rest) or len(rest) > 8192:
            raise MediaError("The video's address is not a usable address.")
        if not bucket or (object_needed and not key.strip("/")):
            raise MediaError(f"The address names no object; it looks like {scheme}://bucket/folder/video.mp4.")
        return service, rest

    def _system(self, address: str, *, object_needed: bool) -> tuple[Any, str]:
        """The file system, kept by fsspec for the next call, and the path in it."""
        service, path = self._split(address, object_needed=object_needed)
        try:
            import fsspec

            with _in_words(address):
                return fsspec.filesystem(service.protocol, **service.options(self.timeout_s)), path
        except ImportError:
            raise MediaError(
                f"{address.partition('://')[0]}:// addresses need {service.package}, which is not installed: pip "
                "install 'stvg[cloud]'."
            ) from None

    def _too_large(self, url: str) -> MediaError:
        return MediaError(
            f"{shown(url)} is larger than {self.max_bytes / (1 << 20):.0f} MiB. Shorten the video or raise "
            "STVG_MAX_VIDEO_BYTES."
        )


@contextmanager
def _in_words(url: str) -> Iterator[None]:
    """What the storages' libraries raise, which have no error in common, as ours."""
    name = shown(url)
    try:
        yield
    except (MediaError, ImportError, MemoryError):
        raise
    except FileNotFoundError:
        raise MediaError(f"{name} is not there.") from None
    except PermissionError:
        raise MediaError(f"{name} is not given out: the log-in in the environment may not read it.") from None
    except IsADirectoryError:
        raise MediaError(f"{name} is a folder, not a file.") from None
    except Exception as error:
        kind = type(error).__name__
        if any(part in kind.lower() for part in _NO_LOG_IN) or (kind == "ValueError" and "credentials" in str(error)):
            raise MediaError(
                f"{name} cannot be read: no log-in that works was found ({kind}). Set it in the environment, as the "
                "storage's own tools take it."
            ) from error
        raise MediaUnavailable(f"{name} cannot be read: {kind}.") from error
