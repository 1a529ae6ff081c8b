"""What does a worker do for the next video while the model works on this one?

Its jobs are leased, the video is fetched, and the frames that every sentence needs are decoded, in a thread beside the
work. The jobs wait in line meanwhile: their leases are renewed with that of the job in work, so only while that moves.
What goes wrong with the video is said to its own job, when its turn comes.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.tables import Job
from backend.jobs.engine import Engine
from backend.jobs.grounding import Media, is_known, place_of, within
from backend.jobs.sharing import Line
from backend.media import MediaFile

logger = logging.getLogger(__name__)

_TICK_S = 0.25


class _Dropped(Exception):
    """The next video is not wanted any more."""


class Ahead:
    """The next video. It is :class:`Media` for its own jobs: their fetch waits for what was begun here.

    Args:
        lease: takes the jobs; an empty list where there are none.
        now: the key of the video that is in work, which is not opened twice.
    """

    def __init__(
        self, database: Database, media: Media, engine: Engine, lease: Callable[[], Sequence[Job]], *, seconds: float,
        now: str,
    ) -> None:  # fmt: skip
        self._database, self._media, self._engine, self._lease = database, media, engine, lease
        self._seconds, self._now = seconds, now
        self._jobs: Sequence[Job] = ()
        self._line = Line(database, (), seconds=seconds)
        self._leased, self._unwanted = threading.Event(), threading.Event()
        self._asked: tuple[str, int | None, int | None] | None = None
        self._outcome: MediaFile | Exception | None = None
        self._moved = 0
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)
        self._thread.start()

    @property
    def jobs(self) -> Sequence[Job]:
        """Those that are held; waits until that is known."""
        self._leased.wait()
        return self._jobs

    @property
    def held(self) -> Sequence[Job]:
        """The same as far as it is known now."""
        return self._jobs

    @property
    def line(self) -> Line:
        """Where they wait."""
        return self._line

    def renew(self, session: Session) -> None:
        """Prolong their leases."""
        self._line.renew(session)

    def fetch(
        self, ref: str, *, task: int | None = None, project: int | None = None, alive: Callable[[], None] | None = None
    ) -> MediaFile:
        """The video, once all is done that was begun for it; raises what went wrong there.

        ``alive`` is called while that moves. Only the first call gets it, and only for what was asked: a task may have
        gone to another project meanwhile.
        """
        seen = -1
        while self._thread.is_alive():
            self._thread.join(_TICK_S)
            if alive is not None and self._moved != seen:
                seen = self._moved
                alive()
        outcome, self._outcome = self._outcome, None
        if outcome is None or self._asked != (ref, task, project):
            return self._media.fetch(ref, task=task, project=project, alive=alive)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def leave(self) -> None:
        """Its turn is over: what is still done for it ends soon, and jobs that were not begun go back to the queue."""
        self._unwanted.set()
        self._line.leave()

    def drop(self) -> None:
        """It is not wanted: the jobs go back to the queue."""
        self._unwanted.set()
        self._thread.join()
        self._line.leave()

    def _alive(self) -> None:
        self._moved += 1
        if self._unwanted.is_set():
            raise _Dropped

    def _run(self) -> None:
        try:
            jobs = self._lease()
            self._line, self._jobs = Line(self._database, jobs, seconds=self._seconds), jobs
        except SQLAlchemyError as error:
            logger.warning("nothing could be leased ahead (%s)", type(error).__name__)
        except Exception:
            logger.exception("ahead: internal error")
        finally:
            self._leased.set()
        if not self._jobs:
            return
        try:
            self._alive()
            ref, numbers = place_of(self._database, self._jobs[0])
            self._asked = (ref, numbers["task"], numbers["project"])
            self._outcome = file = self._media.fetch(ref, **numbers, alive=self._alive)
        except _Dropped:
            return
        except Exception as error:
            self._outcome = error
            return
        try:
            if self._jobs[0].video_key != self._now and not all(is_known(self._database, j, file) for j in self._jobs):
                self._engine.prepare(file.path, self._alive, **within(self._jobs[0]))
        except _Dropped:
            return
        except Exception as error:  # the grounding will meet it again, and say it
            logger.info("the next video could not be opened ahead: %s", error)
