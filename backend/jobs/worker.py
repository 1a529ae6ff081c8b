"""The process that grounds. Which job is next, and what becomes of it when something fails?"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from backend.annotations.wishes import wish_of
from backend.db import jobs
from backend.db.engine import Database
from backend.db.tables import Job
from backend.jobs.engine import Engine
from backend.jobs.following import follow_job
from backend.jobs.grounding import Media, ground_job
from backend.jobs.lease import STALL_S, LeaseKeeper, LeaseLost, Stopping
from backend.jobs.stopping import Holding
from backend.logs import note
from backend.media import MediaUnavailable
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)


class Worker:
    """Takes jobs one by one. A job that fails ends with its reason; nothing else stops.

    ``versions`` are those that the engine can answer as: jobs for any other are left to the workers that can.
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
        retry_s: float = 15.0,
        poll_s: float = 0.5,
        versions: Callable[[Session], Sequence[str]] | None = None,
    ) -> None:
        self.database, self.media, self.engine, self.name = database, media, engine, name
        self.lease_s, self.max_attempts, self.retry_s, self.poll_s = lease_s, max_attempts, retry_s, poll_s
        self.stall_s = stall_s
        self.versions = versions or (lambda session: [engine.model_version])
        self.stop = threading.Event()
        self.holding: Holding | None = None
        self.ended: Callable[[str], None] = lambda outcome: None
        """Called with how each job ended: done, failed, retried, lost or stopped."""

    def run(self) -> None:
        """Work until ``stop`` is set; a database that is away is waited for."""
        while not self.stop.is_set():
            try:
                worked = self.run_once()
            except SQLAlchemyError as error:
                logger.error("the database does not answer (%s); waiting", type(error).__name__)
                self.stop.wait(5.0)
                continue
            if not worked:
                self.stop.wait(self.poll_s)

    def drain(self) -> int:
        """Work until no job is free now; returns how many were taken."""
        taken = 0
        while not self.stop.is_set() and self.run_once():
            taken += 1
        return taken

    def run_once(self) -> bool:
        """Take one job and end it; False when there is none."""
        note(job=None)
        with self.database.read() as session:
            versions = self.versions(session)
            if not jobs.waiting(session, versions):
                return False
        with self.database.write() as session:
            job = jobs.lease(session, self.name, seconds=self.lease_s, versions=versions)
        if job is None:
            return False
        assert job.leased_by is not None
        note(job=job.id)
        logger.info("job %d: attempt %d", job.id, job.attempts)
        try:
            self.holding = Holding(job.id, job.leased_by)
            with LeaseKeeper(
                self.database, job.id, job.leased_by, seconds=self.lease_s, stop=self.stop, stall_s=self.stall_s
            ) as keeper:
                work = ground_job if wish_of(job) is None else follow_job
                work(self.database, self.media, self.engine, job, keeper.progress)
            logger.info("job %d: done", job.id)
            self.ended("done")
        except LeaseLost:
            logger.warning("job %d: the lease ran out, its answer is dropped", job.id)
            self.ended("lost")
        except Stopping:
            with self.database.write() as session:
                jobs.put_back(session, job.id, job.leased_by)
            self.ended("stopped")
        except MediaUnavailable as error:
            self._fail(job, str(error), again=job.attempts < self.max_attempts)
        except StvgError as error:
            self._fail(job, str(error))
        except (OperationalError, InterfaceError):
            raise  # the lease runs out by itself
        except Exception:
            logger.exception("job %d: internal error", job.id)
            self._fail(job, f"Internal error. The worker's log has the details under job {job.id}.")
        finally:
            self.holding = None
        return True

    def _fail(self, job: Job, reason: str, *, again: bool = False) -> None:
        assert job.leased_by is not None
        wait = timedelta(seconds=self.retry_s * 4 ** (job.attempts - 1))
        with self.database.write() as session:
            jobs.fail(session, job.id, job.leased_by, reason, retry_in=wait if again else None)
        logger.warning("job %d: %s%s", job.id, reason, f" Another try in {wait.seconds} s." if again else "")
        self.ended("retried" if again else "failed")
