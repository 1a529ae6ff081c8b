"""Which videos are being fetched in the background, so that no request waits for a download?"""

from __future__ import annotations

import logging
from threading import BoundedSemaphore, Lock, Thread

from backend.media import MediaLibrary
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


_AT_ONCE = 2


class Fetching:
    """A few downloads at a time; what failed is remembered until it is tried again.

    Their threads do not keep a process that is told to end: what they have fetched so far is removed by the next one.
    """

    def __init__(self, media: MediaLibrary) -> None:
        self._media = media
        self._turns = BoundedSemaphore(_AT_ONCE)
        self._threads: set[Thread] = set()
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
            thread = Thread(target=self._fetch, args=(ref, task, project), name="fetch-video", daemon=True)
            self._threads = {other for other in self._threads if other.is_alive()} | {thread}
            thread.start()

    def running(self, ref: str) -> bool:
        with self._lock:
            return ref in self._running

    def failure(self, ref: str) -> str | None:
        """Why the last try failed."""
        with self._lock:
            return self._failures.get(ref)

    def wait(self) -> None:
        """Until all that was started has ended."""
        for thread in list(self._threads):
            thread.join()

    def _fetch(self, ref: str, task: int | None, project: int | None) -> None:
        failure = None
        try:
            with self._turns:
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
