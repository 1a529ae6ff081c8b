"""A file system of a few MiB that is really full when it is full: a ``tmpfs`` that a test mounts."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NEEDED = (
    "NO SMALL DISK could be mounted: nothing was tested on a full one. Run the tests as root, or where "
    "`unshare -rm mount -t tmpfs tmpfs /mnt` works (user namespaces)."
)


class SmallDisk:
    """Mounted at ``path`` until :meth:`unmount`."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self._ballast = path, path / "ballast"
        path.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)], check=True)

    @property
    def free(self) -> int:
        """Bytes that can still be written."""
        disk = os.statvfs(self.path)
        return disk.f_bavail * disk.f_frsize

    def fill(self) -> None:
        """Take the last byte."""
        with self._ballast.open("ab", buffering=0) as file, pytest.raises(OSError, match="No space left"):
            while True:
                file.write(bytes(4096))
        assert self.free == 0

    def relieve(self) -> None:
        """Give back what :meth:`fill` took."""
        self._ballast.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=True)


def can_mount(folder: Path) -> bool:
    """May this process mount a file system?"""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    try:
        SmallDisk(folder / "trial", 1 << 20).unmount()
    except (subprocess.CalledProcessError, OSError):
        return False
    return True


def has_namespaces() -> bool:
    """May this user have a namespace of its own, in which it may mount?"""
    if shutil.which("unshare") is None:
        return False
    trial = ["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return subprocess.run(trial, capture_output=True).returncode == 0
