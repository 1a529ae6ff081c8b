"""Which videos are already here, and which may go?

One folder per address, named by the sha256 of the address, with the file and what is known of it. Bytes that two
addresses give are kept once: their files are links to one in ``blobs``, which is named by the sha256 of its content.
What is being fetched lies in ``parts``. A file appears under its name only when it is complete. Several processes may
use one folder; one of them fetches an address at a time.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from backend.media.file import MediaFile
from backend.media.locks import alone, hold, unused
from backend.media.parts import Part, parts

logger = logging.getLogger(__name__)

_META = ".meta.json"
"""No fetched file is called so: names from addresses never begin with a dot."""
_IN_USE_S = 600.0
"""An entry touched so recently is not evicted: whoever asked for it may be about to open it."""
_ENTRY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class _Entry:
    """An address's folder: when it was last used, its bytes, the file, and by what its bytes are known."""

    folder: Path
    used: float
    size: int
    file: Path | None
    content: tuple[int, int]


class MediaCache:
    """A bounded folder of fetched videos.

    Args:
        max_bytes: of all that lies in it, with what is being fetched. What is in use stays even where that is more.
    """

    def __init__(self, folder: Path, max_bytes: int, *, in_use_s: float = _IN_USE_S) -> None:
        self.folder, self.max_bytes, self.in_use_s = folder, max_bytes, in_use_s
        self._blobs, self._parts, self._locks = folder / "blobs", folder / "parts", folder / "locks"

    def find(self, url: str) -> MediaFile | None:
        """The file of an address fetched before."""
        meta = self._entry(url) / _META
        try:
            known = json.loads(meta.read_text())
            path = meta.parent / known["name"]
            held = hold(path)
            if held is None or path.stat().st_size != known["size"]:
                return None
            os.utime(meta)
            return MediaFile(path, known["sha256"], known["size"], held)
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def find_or_store(
        self, url: str, name: str, fetch: Callable[[BinaryIO], tuple[str, int]], wait: Callable[[], None]
    ) -> MediaFile:
        """The file of an address; where it is not here, ``fetch`` is called, in one process at a time.

        Args:
            wait: called again and again while another process fetches it; it may raise, to give up.
        """
        found = self.find(url)
        if found is not None:
            return found
        self._locks.mkdir(parents=True, exist_ok=True)
        with alone(self._locks / self._entry(url).name, wait):
            return self.find(url) or self.store(url, name, fetch)

    def store(self, url: str, name: str, fetch: Callable[[BinaryIO], tuple[str, int]]) -> MediaFile:
        """Let ``fetch`` write into a temporary file, then give it its name; nothing remains if it fails."""
        with Part(self._parts, lambda: self.evict(self.max_bytes)) as part:
            sha256, size = fetch(part.file)
            part.complete()
            entry = self._entry(url)
            entry.mkdir(parents=True, exist_ok=True)
            path = entry / name
            try:
                self._place(part.path, sha256, path)
                self._write_meta(entry, {"name": name, "sha256": sha256, "size": size})
            except BaseException:
                shutil.rmtree(entry, ignore_errors=True)
                raise
        held = hold(path)
        self.evict(self.max_bytes)
        return MediaFile(path, sha256, size, held)

    def evict(self, max_bytes: int) -> int:
        """Remove the longest unused entries until at most ``max_bytes`` remain; returns how many bytes went."""
        entries = self._entries()
        shared: dict[tuple[int, int], list[_Entry]] = {}
        for entry in entries:
            shared.setdefault(entry.content, []).append(entry)
        total, freed = sum(same[0].size for same in shared.values()) + parts(self._parts), 0
        for entry in sorted(entries, key=lambda entry: entry.used):
            if total - freed <= max_bytes or time.time() - entry.used < self.in_use_s:
                break
            if not self._remove(entry):
                continue
            shared[entry.content].remove(entry)
            if not shared[entry.content]:
                freed += entry.size
        self._drop_blobs()
        return freed

    def make_room(self) -> int:
        """Remove the longest unused half of what is here, for a disk that is full; returns how many bytes went."""
        contents = {entry.content: entry.size for entry in self._entries()}
        return self.evict(sum(contents.values()) // 2)

    def is_beside(self, file: Path) -> bool:
        """Does the cache lie on the same disk as this file?"""
        try:
            return self.folder.stat().st_dev == file.stat().st_dev
        except OSError:
            return False

    def _entries(self) -> list[_Entry]:
        found = []
        for folder in self.folder.glob("*/"):
            if not _ENTRY.fullmatch(folder.name):
                continue
            try:
                meta = folder / _META
                used = (meta if meta.exists() else folder).stat().st_mtime
                files = {file: file.stat() for file in folder.iterdir() if file != meta}
            except OSError:
                continue
            file = max(files, key=lambda file: files[file].st_size, default=None)
            facts = folder.stat() if file is None else files[file]
            size = sum(status.st_size for status in files.values())
            found.append(_Entry(folder, used, size, file, (facts.st_dev, facts.st_ino)))
        return found

    def _remove(self, entry: _Entry) -> bool:
        """False where a process has the file in use."""
        with unused(entry.file or entry.folder, without_locks=True) as free:
            if not free:
                return False
            shutil.rmtree(entry.folder, ignore_errors=True)
            return True

    def _drop_blobs(self) -> None:
        """Remove content that no address has any more."""
        for blob in self._blobs.glob("*"):
            try:
                if blob.stat().st_nlink > 1:
                    continue
                with unused(blob, without_locks=False) as free:
                    if free:
                        blob.unlink()
            except OSError:
                continue

    def _place(self, part: Path, sha256: str, path: Path) -> None:
        """Give fetched bytes their name, once on the disk whatever other names they have."""
        blob = self._blobs / sha256
        self._blobs.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        try:
            if not blob.exists() or blob.stat().st_size != part.stat().st_size:
                part.replace(blob)
            os.link(blob, path)
        except OSError:
            logger.debug("%s: this file system has no links, the video gets a copy of its own", self.folder)
            (part if part.exists() else blob).replace(path)

    def _entry(self, url: str) -> Path:
        return self.folder / hashlib.sha256(url.encode()).hexdigest()

    def _write_meta(self, entry: Path, meta: dict[str, object]) -> None:
        handle, part = tempfile.mkstemp(prefix=_META, dir=entry)
        with os.fdopen(handle, "w") as file:
            file.write(json.dumps(meta))
        Path(part).replace(entry / _META)
