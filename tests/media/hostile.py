"""What a process that fetches may be told to fetch with: what hostile servers and broken libraries do to it."""

from __future__ import annotations

import hashlib
import os
import resource
import signal
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from backend.media.cloud import CloudFiles
from backend.media.cloud_services import Service
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.watch import TooLate, Watch

VIDEO = b"video"
HELD_BYTES = 2 << 30


def writes(file: BinaryIO) -> tuple[str, int]:
    """A whole video."""
    file.write(VIDEO)
    return hashlib.sha256(VIDEO).hexdigest(), len(VIDEO)


def hangs(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """After a part of the video. A server or library that gives nothing and keeps no time limit."""
    file.write(VIDEO[:2])
    while True:
        threading.Event().wait()


def drips(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """A byte now and then, and no end."""
    while not threading.Event().wait(0.05):
        file.write(b"x")
    return "", 0


def needs_memory(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """Address space alone, which costs the machine nothing where the process may have it."""
    held = bytearray(HELD_BYTES)
    assert held is not None
    return writes(file)


def needs_nearly_all(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """Of the address space that it may have, for an address that is said to be large."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    free = resource.getrlimit(resource.RLIMIT_AS)[0] - pages * resource.getpagesize()
    held = bytearray(free - (16 << 20) if "large" in url else 1)
    assert held is not None
    return writes(file)


def crashes(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    file.write(VIDEO[:2])
    os.kill(os.getpid(), signal.SIGSEGV)
    return writes(file)


def is_killed(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    file.write(VIDEO[:2])
    os.kill(os.getpid(), signal.SIGKILL)
    return writes(file)


def fails(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    raise KeyError("a defect")


def gives_up(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """A call that knows no time limit is given up, and goes on."""
    try:
        Watch(0.01).within(lambda: threading.Event().wait())
    except TooLate:
        raise MediaUnavailable("given up") from None
    raise AssertionError("it waits for ever")


def lies_about_the_size(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    return writes(file)[0], 4


def lies_about_the_name(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    return "../../../etc/passwd", writes(file)[1]


def from_memory(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """An object of a storage that fsspec keeps in this process: its path says how many KiB it has."""
    size = int(url.rpartition("/")[2]) << 10
    fsspec.filesystem("memory").pipe("/" + url.partition("://")[2], bytes(size))
    files = CloudFiles(source.max_bytes, source.timeout_s, source.deadline_s, {"s3": Service("memory", "fsspec")})
    return files.fetch(url, file, alive)


def tells(source: Any, url: str, file: BinaryIO, alive: Any) -> tuple[str, int]:
    """Says what is loaded, and which settings it sees."""
    loaded = sorted({"torch", "av", "numpy", "cv2", "transformers", "sqlalchemy", "flask"} & set(sys.modules))
    raise MediaError(f"loaded {loaded}, settings {sorted(name for name in os.environ if name.startswith('STVG_'))}")
