"""Which videos are already here, and which may go?

One folder per address, named by the sha256 of the address, with the file and what is known of it. A file appears under
its name only when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

_META = ".meta.json"
"""No fetched file is called so: names from addresses never begin with a dot."""
_IN_USE_S = 600.0
"""An entry touched so recently may be open in a worker: it is not evicted."""


class MediaCache:
    """A bounded folder of fetched videos."""

    def __init__(self, folder: Path, max_bytes: int, *, in_use_s: float = _IN_USE_S) -> None:
        self.folder, self.max_bytes, self.in_use_s = folder, max_bytes, in_use_s

    def find(self, url: str) -> tuple[Path, str, int] | None:
        """``(path, sha256, size)`` of an address fetched before."""
        meta = self._entry(url) / _META
        try:
            known = json.loads(meta.read_text())
            path = meta.parent / known["name"]
            if path.stat().st_size != known["size"]:
                return None
            os.utime(meta)
        except (OSError, ValueError, KeyError):
            return None
        return path, known["sha256"], known["size"]

    def store(self, url: str, name: str, fetch: Callable[[BinaryIO], tuple[str, int]]) -> tuple[Path, str, int]:
        """Let ``fetch`` write into a temporary file, then give it its name; nothing remains if it fails."""
        entry = self._entry(url)
        entry.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(suffix=".part", dir=entry)
        try:
            with os.fdopen(handle, "wb") as file:
                sha256, size = fetch(file)
            path = entry / name
            Path(part).replace(path)
            self._write_meta(entry, {"name": name, "sha256": sha256, "size": size})
        except BaseException:
            Path(part).unlink(missing_ok=True)
            raise
        self.evict(self.max_bytes)
        return path, sha256, size

    def evict(self, max_bytes: int) -> int:
        """Remove the longest unused entries until at most ``max_bytes`` remain; returns how many bytes went."""
        entries = []
        for entry in self.folder.glob("*/"):
            try:
                meta = entry / _META
                used = (meta if meta.exists() else entry).stat().st_mtime
                entries.append((used, sum(file.stat().st_size for file in entry.iterdir()), entry))
            except OSError:
                continue
        total, freed = sum(size for _, size, _ in entries), 0
        for used, size, entry in sorted(entries):
            if total - freed <= max_bytes or time.time() - used < self.in_use_s:
                break
            shutil.rmtree(entry, ignore_errors=True)
            freed += size
        return freed

    def _entry(self, url: str) -> Path:
        return self.folder / hashlib.sha256(url.encode()).hexdigest()

    def _write_meta(self, entry: Path, meta: dict[str, object]) -> None:
        part = entry / f"{_META}.{os.getpid()}.part"
        part.write_text(json.dumps(meta))
        part.replace(entry / _META)
