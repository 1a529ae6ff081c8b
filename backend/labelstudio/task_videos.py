"""Where are the videos that a task file names, and what is in them? Each is looked at once, however often named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.task_checks import Placed
from backend.labelstudio.tasks import local_file_address
from backend.routes import prefix_of_file
from stvg_core.errors import StvgError
from stvg_core.text import clean
from stvg_core.tube import VideoInfo

_Key = TypeVar("_Key", str, Path)
_STORAGES = ("s3://", "gs://", "azure-blob://")
"""Only Label Studio resolves these, and only for a task that exists."""


class TaskVideos:
    """The videos of a project's tasks.

    Args:
        folder: where file names are looked for; None where the files' addresses must be given.
        document_root: Label Studio's, above it.
        fetch: brings what an address names onto this machine; of a task that exists it gets the numbers of task and
            project too.
        probe: what is in a file.
    """

    def __init__(
        self, folder: Path | None, document_root: Path | None, *,
        fetch: Callable[[str, int | None, int | None], Path], probe: Callable[[Path], VideoInfo],
    ) -> None:  # fmt: skip
        self._folder, self._document_root = folder, document_root
        self._fetch, self._probe = fetch, probe
        self._known: dict[str, VideoInfo | StvgError] = {}
        self._probed: dict[Path, VideoInfo | StvgError] = {}
        self._listings: dict[Path, dict[str, list[Path]]] = {}

    def place(self, video: str) -> Placed:
        """Where the video is; a file name counts from the folder.

        Raises:
            PayloadError: there is no such file, it lies outside the document root, or no folder is known.
        """
        if "://" in video or (video.startswith("/") and prefix_of_file(video) is not None):
            return Placed(video)
        if self._folder is None or self._document_root is None:
            raise PayloadError("the folder of the videos is not known. Give its folder (--videos) or whole addresses")
        try:
            path = self._spelled(self._folder / video)
            return Placed(local_file_address(path, self._document_root), path)
        except (OSError, ValueError):
            raise PayloadError(f"{video!r} is no name that a file can have") from None

    def look(self, where: Placed) -> VideoInfo | None:
        """What is in the video, None where only Label Studio can tell; raises StvgError where it cannot be used."""
        if where.address.lower().startswith(_STORAGES):
            return None
        return _once(
            self._known, where.address, lambda: self.probe(where.path or self._fetch(where.address, None, None))
        )

    def at(self, address: str, *, task: int, project: int) -> VideoInfo:
        """What is in the video of a task that exists; raises StvgError where it cannot be used."""
        return _once(self._known, address, lambda: self.probe(self._fetch(address, task, project)))

    def probe(self, path: Path) -> VideoInfo:
        """What is in a file, whatever address leads to it; raises StvgError where it cannot be used."""
        return _once(self._probed, path.resolve(), lambda: self._probe(path))

    def _spelled(self, path: Path) -> Path:
        """The file as its folder spells it: the same name can be written with other code points."""
        if path.is_file() or not path.parent.is_dir():
            return path
        listing = self._listings.get(path.parent)
        if listing is None:
            listing = self._listings[path.parent] = {}
            for one in path.parent.iterdir():
                listing.setdefault(clean(one.name), []).append(one)
        alike = listing.get(clean(path.name), [])
        return alike[0] if len(alike) == 1 else path


def _once(known: dict[_Key, VideoInfo | StvgError], key: _Key, read: Callable[[], VideoInfo]) -> VideoInfo:
    """Read what is not known yet; the same error each time where it cannot be read."""
    if key not in known:
        try:
            known[key] = read()
        except StvgError as error:
            known[key] = error
        except OSError as error:
            known[key] = PayloadError(f"{key} cannot be read: {error.strerror}.")
    found = known[key]
    if isinstance(found, StvgError):
        raise found
    return found
