"""The process that grounds. Which jobs are next, and what becomes of them when something fails?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.annotations.wishes import wish_of
from backend.db import jobs
from backend.db.engine import Database
from backend.db.errors import AWAY
from backend.db.lease import MAX_DEATHS
from backend.db.tables import Job
from backend.jobs.ahead import Ahead
from backend.jobs.engine import Engine, Progress
from backend.jobs.following import follow_job
from backend.jobs.grounding import MIN_IOU, Media, ground_job
from backend.jobs.lease import STALL_S, LeaseKeeper, LeaseLost, Stopping
from backend.jobs.sharing import Line, Together
from backend.jobs.stopping import Holding
from backend.logs import note
from backend.media import MediaUnavailable
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class _Batch(NamedTuple):
    """Jobs that are held, in the order of their turns.

    Attributes:
        line: where those wait that have not begun.
        begun: the one that need not wait for its turn; None where all do.
        media: where their video comes from.
        leave: called when they have had their turn.
    """

    jobs: Sequence[Job]
    line: Line
    begun: Job | None
    media: Media
    leave: Callable[[], None]


class Worker:
    """Takes jobs, those about one video together. A job that fails ends with its reason; nothing else stops.

    Args:
        versions: those that the engine can answer as; jobs for any other are left to the workers that can.
        project_id: jobs of other projects are left too.
        shared: so many sentences about one video are answered together at most.
        ahead: so many videos are fetched and decoded while another one is grounded: 0 or 1.
        max_deaths: a job is given up after so many workers in a row were gone at the same stage of it.
        min_iou: stored keyframes have at least this IoU with what was found.

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
        ahead: int = 0,
        versions: Callable[[Session], Sequence[str]] | None = None,
        project_id: int | None = None,
        min_iou: float = MIN_IOU,
    ) -> None:
        self.min_iou = min_iou
        self.database, self.media, self.engine, self.name = database, media, engine, name
        self.lease_s, self.max_attempts, self.retry_s, self.poll_s = lease_s, max_attempts, retry_s, poll_s
        self.stall_s = stall_s
        self.max_deaths, self.shared, self.ahead = max_deaths, shared, ahead
        self.versions = versions or (lambda session: [engine.model_version])
        self.project_id = project_id
        self.stop, self.enough = threading.Event(), threading.Event()
        self.idle: Callable[[], object] = lambda: self.stop.wait(poll_s)
        self._in_hand: Sequence[Job] = ()
        self._next: Ahead | None = None
        self.ended: Callable[[str], None] = lambda outcome: None

    def holding(self) -> list[Holding]:
        """All jobs that are leased at this moment, whether they have begun or not; for any thread."""
        following = self._next
        held = [*self._in_hand, *(following.held if following is not None else ())]
        return [Holding(job.id, job.leased_by or "") for job in held]

    def run(self, until: Callable[[], bool] = lambda: False) -> None:
        """Work until ``stop`` or ``enough`` is set, or, between two jobs, ``until`` holds.

        A database that is away is waited for.
        """
        try:
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
        finally:
            self.put_back()

    def drain(self) -> int:
        """Work until no job is free now; returns how many were taken."""
        taken = 0
        try:
            while not self._told_to_end() and (count := self.run_once()):
                taken += count
        finally:
            self.put_back()
        return taken

    def put_back(self) -> None:
        """Back to the queue with the jobs about the next video."""
        if self._next is not None:
            self._next.drop()
        self._next = None

    def run_once(self) -> int:
        """Take the next job, with others about its video, and end them; returns how many, 0 when there is none.

        Those about the video after it may be held afterwards, until the next call or :meth:`put_back`.
        """
        note(job=None)
        while (batch := self._taken()) is not None:
            self._in_hand = batch.jobs
            try:
                if ended := self._work(batch):
                    return ended
            finally:
                batch.leave()
                self._in_hand = ()
            if self._told_to_end():
                break
        return 0

    def _taken(self) -> _Batch | None:
        """The next jobs: those that were leased ahead, unless something more urgent waits."""
        waiting = self._next.jobs if self._next is not None else ()
        if self._next is not None and not waiting:
            self._next = None
        with self.database.read() as session:
            versions = self.versions(session)
            if self._next is None:
                free = jobs.waiting(session, versions, self.project_id)
            else:
                most = max(job.priority for job in waiting)
                free = jobs.more_urgent(session, versions, most, self.project_id)
        found = self._lease(versions) if free else None
        if found is None and self._next is not None:
            following, self._in_hand = self._next, waiting  # held by one or the other at each moment
            self._next = None
            return _Batch(waiting, following.line, None, following, following.leave)
        return found

    def _lease(self, versions: Sequence[str]) -> _Batch | None:
        with self.database.write() as session:
            first = jobs.lease(
                session, self.name, seconds=self.lease_s, versions=versions, max_deaths=self.max_deaths,
                project_id=self.project_id,
            )  # fmt: skip
            if first is None:
                return None
            more = jobs.lease_more(session, self.name, first, seconds=self.lease_s, most=self.shared - 1)
        line = Line(self.database, more, seconds=self.lease_s)
        return _Batch([first, *more], line, first, self.media, line.leave)

    def _lease_ahead(self) -> Sequence[Job]:
        with self.database.read() as session:
            versions = self.versions(session)
            if self._told_to_end() or not jobs.may_look_ahead(session, versions, self.project_id):
                return []
        with self.database.write() as session:
            return jobs.lease_ahead(
                session, self.name, seconds=self.lease_s, most=self.shared, versions=versions,
                project_id=self.project_id,
            )  # fmt: skip

    def _look_ahead(self, now: str) -> None:
        """Begin with the next video, once; its own work has gone before it."""
        if self.ahead and self._next is None and not self._told_to_end():
            self._next = Ahead(
                self.database, self.media, self.engine, self._lease_ahead, seconds=self.lease_s, now=now
            )  # fmt: skip

    def _work(self, batch: _Batch) -> int:
        """One after the other, as long as nothing more urgent waits; returns how many were ended."""
        ended, line = 0, batch.line
        together = Together(self.database, batch.media, self.engine, batch.jobs, self.min_iou)
        try:
            for job in batch.jobs:
                if job is not batch.begun:
                    if self._told_to_end() or (ended and self._more_urgent(line)):
                        break
                    if not line.next(job):
                        continue
                self._end(job, line, self._how(job, batch, together))
                ended += 1
        finally:
            together.close()
        return ended

    def _told_to_end(self) -> bool:
        return self.stop.is_set() or self.enough.is_set()

    def _how(self, job: Job, batch: _Batch, together: Together) -> Callable[[Progress], None]:
        if len(batch.jobs) > 1:
            return partial(together.ground, job)
        work = partial(ground_job, min_iou=self.min_iou) if wish_of(job) is None else follow_job
        return partial(work, self.database, batch.media, self.engine, job)

    def _more_urgent(self, line: Line) -> bool:
        priority, following = line.priority, self._next
        if priority is None:
            return False
        held = [] if following is None else [job.id for job in following.held]
        with self.database.read() as session:
            if jobs.became_more_urgent(session, held, priority):
                return True
            return jobs.more_urgent(session, self.versions(session), priority, self.project_id)

    def _end(self, job: Job, line: Line, work: Callable[[Progress], None]) -> None:
        """Do a job, and whatever comes of it."""
        assert job.leased_by is not None
        note(job=job.id)
        logger.info("job %d: attempt %d", job.id, job.attempts)
        try:
            with LeaseKeeper(
                self.database, job.id, job.leased_by, seconds=self.lease_s, stop=self.stop, stall_s=self.stall_s,
                along=partial(self._renew, line),
            ) as keeper:  # fmt: skip
                work(partial(self._progress, keeper, job))
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

    def _progress(self, keeper: LeaseKeeper, job: Job, share: float, stage: str) -> None:
        keeper.progress(share, stage)
        if share > 0:  # its own video is open
            self._look_ahead(job.video_key)

    def _renew(self, line: Line, session: Session) -> None:
        """Who waits is renewed with what is in work."""
        jobs.in_order(session, [one.job_id for one in self.holding()])
        line.renew(session)
        if (following := self._next) is not None:
            following.renew(session)

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
