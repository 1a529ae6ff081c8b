"""The process that grounds. Which jobs are next, and what becomes of them when something fails?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.annotations.wishes import wish_of
from backend.db import jobs
from backend.db.engine import Database
from backend.db.errors import AWAY
from backend.db.lease import MAX_DEATHS
from backend.db.tables import Job
from backend.jobs.engine import Engine, Progress
from backend.jobs.following import follow_job
from backend.jobs.grounding import Media, ground_job
from backend.jobs.lease import STALL_S, LeaseKeeper, LeaseLost, Stopping
from backend.jobs.sharing import Line, Together
from backend.jobs.stopping import Holding
from backend.logs import note
from backend.media import MediaUnavailable
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class Worker:
    """Takes jobs, those about one video together. A job that fails ends with its reason; nothing else stops.

    Args:
        versions: those that the engine can answer as; jobs for any other are left to the workers that can.
        project_id: jobs of other projects are left too.
        shared: so many sentences about one video are answered together at most.
        max_deaths: a job is given up after so many workers in a row were gone at the same stage of it.

    Attributes:
        idle: called when there is nothing to do; it waits.
        enough: set to end after the job in hand; ``stop`` gives that up.
        ended: called after each job, with how it ended: done, failed, retried, lost or stopped.
    """

    def __init__(
        self,
        database: Database,
        media: Media,
        engine: Engine,
        *,
        name: str,
        lease_s: float = 60.0,
        stall_s: float = STALL_S,
        max_attempts: int = 3,
        max_deaths: int = MAX_DEATHS,
        retry_s: float = 15.0,
        poll_s: float = 0.5,
        shared: int = 8,
        versions: Callable[[Session], Sequence[str]] | None = None,
        project_id: int | None = None,
    ) -> None:
        self.database, self.media, self.engine, self.name = database, media, engine, name
        self.lease_s, self.max_attempts, self.retry_s, self.poll_s = lease_s, max_attempts, retry_s, poll_s
        self.stall_s = stall_s
        self.max_deaths, self.shared = max_deaths, shared
        self.versions = versions or (lambda session: [engine.model_version])
        self.project_id = project_id
        self.stop, self.enough = threading.Event(), threading.Event()
        self.idle: Callable[[], object] = lambda: self.stop.wait(poll_s)
        self.holding: Holding | None = None
        self.ended: Callable[[str], None] = lambda outcome: None

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work until ``stop`` or ``enough`` is set, or, between two jobs, ``until`` holds.

        A database that is away is waited for.
        """
        while not self._told_to_end():
            try:
                worked = self.run_once()
                if not worked and until():
                    return
            except SQLAlchemyError as error:
                logger.error("the database does not answer (%s); waiting", type(error).__name__)
                self.stop.wait(5.0)
                continue
            if not worked:
                self.idle()

    def drain(self) -> int:
        """Work until no job is free now; returns how many were taken."""
        taken = 0
        while not self.stop.is_set() and (count := self.run_once()):
            taken += count
        return taken

    def run_once(self) -> int:
        """Take the next job, with others about its video, and end them; returns how many, 0 when there is none."""
        note(job=None)
        with self.database.read() as session:
            versions = self.versions(session)
            if not jobs.waiting(session, versions, self.project_id):
                return 0
        with self.database.write() as session:
            first = jobs.lease(
                session, self.name, seconds=self.lease_s, versions=versions, max_deaths=self.max_deaths,
                project_id=self.project_id,
            )  # fmt: skip
            if first is None:
                return 0
            more = jobs.lease_more(session, self.name, first, seconds=self.lease_s, most=self.shared - 1)
        line = Line(self.database, more, seconds=self.lease_s)
        try:
            return self._work([first, *more], line)
        finally:
            line.leave()

    def _work(self, taken: Sequence[Job], line: Line) -> int:
        """One after the other, as long as nothing more urgent waits; returns how many were ended."""
        first = taken[0]
        if len(taken) == 1:
            work = ground_job if wish_of(first) is None else follow_job
            self._end(first, line, lambda progress: work(self.database, self.media, self.engine, first, progress))
            return 1
        together = Together(self.database, self.media, self.engine, taken)
        ended = 0
        try:
            for job in taken:
                if job is not first and (self._told_to_end() or self._more_urgent(line)):
                    break
                if job is first or line.next(job):
                    self._end(job, line, partial(together.ground, job))
                    ended += 1
        finally:
            together.close()
        return ended

    def _told_to_end(self) -> bool:
        return self.stop.is_set() or self.enough.is_set()

    def _more_urgent(self, line: Line) -> bool:
        if line.priority is None:
            return False
        with self.database.read() as session:
            return jobs.more_urgent(session, self.versions(session), line.priority)

    def _end(self, job: Job, line: Line, work: Callable[[Progress], None]) -> None:
        """Do a job, and whatever comes of it."""
        assert job.leased_by is not None
        note(job=job.id)
        logger.info("job %d: attempt %d", job.id, job.attempts)
        try:
            self.holding = Holding(job.id, job.leased_by)
            with LeaseKeeper(
                self.database, job.id, job.leased_by, seconds=self.lease_s, stop=self.stop, stall_s=self.stall_s,
                along=line.renew,
            ) as keeper:  # fmt: skip
                work(keeper.progress)
            logger.info("job %d: done", job.id)
            self.ended("done")
        except LeaseLost:
            logger.warning("job %d: the lease was lost, its answer is dropped", job.id)
            self.ended("lost")
        except Stopping:
            with self.database.write() as session:
                jobs.put_back(session, job.id, job.leased_by)
            self.ended("stopped")
        except MediaUnavailable as error:
            self._fail(job, str(error), again=self._another_try(job))
        except StvgError as error:
            self._fail(job, str(error))
        except AWAY:
            self._give_back(job)
            raise
        except Exception:
            logger.exception("job %d: internal error", job.id)
            self._fail(job, f"Internal error. The worker's log has the details under job {job.id}.")
        finally:
            self.holding = None

    def _give_back(self, job: Job) -> None:
        """The database ended the work (a deadlock, a restart): no death. While it is away, the lease runs out."""
        try:
            with self.database.write() as session:
                jobs.put_back(session, job.id, job.leased_by or "")
        except SQLAlchemyError as error:
            logger.warning("job %d could not be put back (%s)", job.id, type(error).__name__)

    def _another_try(self, job: Job) -> bool:
        """Is it tried again when its video's source did not answer?"""
        return job.attempts < self.max_attempts

    def _fail(self, job: Job, reason: str, *, again: bool = False) -> None:
        assert job.leased_by is not None
        wait = timedelta(seconds=pause(self.retry_s, job.attempts))
        with self.database.write() as session:
            jobs.fail(session, job.id, job.leased_by, reason, retry_in=wait if again else None)
        logger.warning("job %d: %s%s", job.id, reason, f" Another try in {wait.seconds} s." if again else "")
        self.ended("retried" if again else "failed")


def pause(first_s: float, attempts: int) -> float:
    """Seconds until a job is tried again after so many attempts: longer each time."""
    return first_s * float(4 ** (attempts - 1))
