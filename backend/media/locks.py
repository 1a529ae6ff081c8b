"""Who uses this file at present? Locks that the kernel lets go of when their process dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_TICK_S = 0.1


class Hold:
    """A shared lock on an open file, for as long as this object lives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __del__(self) -> None:
        os.close(self._descriptor)


def hold(path: Path) -> Hold | None:
    """Say that the file is in use; None where it is not there, or is being removed.

    On a file system without locks nobody is told.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    held = Hold(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    except OSError:
        pass
    return held if _still(descriptor, path) else None


@contextmanager
def unused(path: Path, *, without_locks: bool) -> Iterator[bool]:
    """Whether nobody holds the file; if so, nobody can until the block ends.

    Args:
        without_locks: the answer on a file system that has none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        yield True  # not there
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free = True
        except BlockingIOError:
            free = False
        except OSError:
            free = without_locks
        yield free
    finally:
        os.close(descriptor)


@contextmanager
def alone(path: Path, wait: Callable[[], None]) -> Iterator[None]:
    """The block that one process, and one thread of it, is in at a time; ``path`` is the lock's own file.

    Args:
        wait: called again and again while another is in the block; it may raise, to give up.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    wait()
                    time.sleep(_TICK_S)
                except OSError:
                    break  # no locks here: an address may be fetched twice, and is kept once
            if _still(descriptor, path):
                try:
                    yield
                finally:
                    with suppress(OSError):
                        path.unlink()  # by its holder alone; who waits for it sees that it is another file
                return
        finally:
            os.close(descriptor)


def _still(descriptor: int, path: Path) -> bool:
    """Does the path still name the open file?"""
    try:
        there = path.stat()
    except OSError:
        return False
    return (there.st_dev, there.st_ino) == ((mine := os.fstat(descriptor)).st_dev, mine.st_ino)
