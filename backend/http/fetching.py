"""Which videos are being fetched in the background, so that no request waits for a download?"""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from backend.media import MediaLibrary
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class Fetching:
    """One download at a time; what failed is remembered until it is tried again."""

    def __init__(self, media: MediaLibrary) -> None:
        self._media = media
        self._threads = ThreadPoolExecutor(max_workers=1, thread_name_prefix="fetch-video")
        self._running: set[str] = set()
        self._failures: dict[str, str] = {}
        self._lock = Lock()

    def start(self, ref: str, *, task: int | None = None, project: int | None = None) -> None:
        """Fetch this address, which stands in Label Studio's task of that number, unless it is being fetched."""
        with self._lock:
            if ref in self._running:
                return
            self._running.add(ref)
            self._failures.pop(ref, None)
        self._threads.submit(self._fetch, ref, task, project)

    def running(self, ref: str) -> bool:
        with self._lock:
            return ref in self._running

    def failure(self, ref: str) -> str | None:
        """Why the last try failed."""
        with self._lock:
            return self._failures.get(ref)

    def wait(self) -> None:
        """Until all that was started has ended."""
        self._threads.submit(lambda: None).result()

    def _fetch(self, ref: str, task: int | None, project: int | None) -> None:
        failure = None
        try:
            self._media.fetch(ref, task=task, project=project)
        except StvgError as error:
            failure = str(error)
        except Exception:
            logger.exception("a video could not be fetched")
            failure = "Internal error while the video was fetched. The service's log has the details."
        with self._lock:
            self._running.discard(ref)
            if failure is not None:
                self._failures[ref] = failure
