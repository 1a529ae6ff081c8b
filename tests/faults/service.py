"""Does a job end as failed, with a reason, when its video is bad? A worker whose engine looks at the file for real."""

from __future__ import annotations

from pathlib import Path

from backend.db.tables import Job
from backend.jobs.engine import Progress
from backend.labelstudio.payloads import TaskPayload
from backend.media import MediaLibrary
from backend.media.cache import MediaCache
from backend.media.download import Downloader
from backend.media.fetching import Fetch, fetch_here
from backend.testing import FakeEngine
from stvg_core.tube import Grounding
from stvg_core.video import probe
from tests.jobs.conftest import Loop


class ProbingEngine(FakeEngine):
    """Refuses what the real engine refuses when it opens a video; what it answers is made up."""

    def ground(self, path: Path, query: str, progress: Progress) -> Grounding:
        if not path.read_bytes().startswith(b"video"):
            probe(path)
        return super().ground(path, query, progress)


class Service:
    """A worker over an empty database.

    Attributes:
        videos: the document root.
        cache: where fetched videos lie.
    """

    def __init__(self, loop: Loop, folder: Path) -> None:
        self.loop, self.videos, self.cache = loop, loop.videos, folder
        self.downloader = Downloader(timeout_s=600)
        self.loop.worker.engine = self.loop.engine = ProbingEngine()
        self.use(MediaCache(folder, 1 << 30))
        self._tasks = 0

    def use(self, cache: MediaCache, fetch: Fetch = fetch_here) -> None:
        self.loop.worker.media = MediaLibrary(cache, self.downloader, document_root=self.videos, fetch=fetch, pause_s=0)

    def ask(self, ref: str, query: str = "the red box") -> int:
        """Queue a task's video; returns the job's number."""
        self._tasks += 1
        data = {"video": ref, "query": query, "fps": 25}
        self.loop.label_studio.add_task(self._tasks, **data)
        self.loop.ask(TaskPayload(self._tasks, data))
        return self._tasks

    def ground(self, ref: str) -> Job:
        """One attempt at a task's video; returns how its job stands then."""
        number = self.ask(ref)
        self.loop.worker.run_once()
        return self.loop.job(number)

    def work(self) -> None:
        """Whatever is due, and what waits for its next try as well."""
        self.loop.make_due()
        self.loop.worker.run_once()

    def kept(self) -> list[Path]:
        """The files in the cache."""
        return [path for path in self.cache.rglob("*") if path.is_file()]
