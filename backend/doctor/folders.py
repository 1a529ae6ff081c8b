"""Can fetched videos be kept, and are Label Studio's local files seen here?"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from backend.doctor.finding import Finding, fail, ok, warn
from backend.doctor.installation import Installation

DATA, MEDIA = "data folder", "media root"
_GB = 1e9
LITTLE_BYTES, NONE_BYTES = 5 * _GB, 0.2 * _GB


def check_data(installation: Installation) -> Iterator[Finding]:
    """Can the data folder be written to, and is there room?"""
    folder = installation.settings.data_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        mend = "Give the folder to the user who runs stvg, or name another: STVG_DATA_DIR."
        yield fail(DATA, f"{folder} cannot be written: {error.strerror}.", mend)
        return
    said = f"{folder} can be written and has {free / _GB:.1f} GB free."
    mend = "Free some space, or lower STVG_MEDIA_CACHE_BYTES."
    if free < NONE_BYTES:
        yield fail(DATA, said, mend)
    elif free < LITTLE_BYTES:
        yield warn(DATA, said, mend)
    else:
        yield ok(DATA, said)


def check_media(installation: Installation) -> Iterator[Finding]:
    """Can the folder with Label Studio's local files be read?"""
    root = installation.settings.document_root
    if root is None:
        yield ok(MEDIA, "No local folder is set: videos are fetched from Label Studio and kept in the data folder.")
    elif not root.is_dir():
        yield fail(MEDIA, f"{root} is no folder here.", "Mount Label Studio's folder, or unset STVG_DOCUMENT_ROOT.")
    elif not os.access(root, os.R_OK | os.X_OK):
        yield fail(MEDIA, f"{root} cannot be read.", "Let the user who runs stvg read it.")
    elif not _holds_something(root):
        yield warn(MEDIA, f"{root} is empty.", "Is it the folder that Label Studio serves, and is it mounted?")
    else:
        yield ok(MEDIA, f"{root} can be read.")


def _holds_something(folder: Path) -> bool:
    with os.scandir(folder) as entries:
        return next(entries, None) is not None
