"""How do several sentences about one video share the work that does not depend on the sentence?

Their jobs are leased together and answered one after the other. Each ends by itself: what is finished is stored at
once, and an error is that one job's. Those whose turn has not come wait in line; their leases are renewed with that of
the job in work, and they go back to the queue when the worker stops or something more urgent comes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import takewhile

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db import jobs
from backend.db import lease as leases
from backend.db.engine import Database
from backend.db.tables import Job
from backend.jobs.engine import Answers, Engine, Progress
from backend.jobs.grounding import MIN_IOU, Media, answer_job, fetch_for, is_known, require_version, within
from backend.media import MediaFile
from stvg_core.errors import StvgError
from stvg_core.tube import Grounding

logger = logging.getLogger(__name__)


class Line:
    """The jobs that are held and whose turn has not come."""

    def __init__(self, database: Database, waiting: Sequence[Job], *, seconds: float) -> None:
        self._database, self._seconds = database, seconds
        self._waiting = {job.id: job for job in waiting}

    @property
    def priority(self) -> int | None:
        """Of the most urgent; None where nobody waits."""
        return max((job.priority for job in list(self._waiting.values())), default=None)

    def renew(self, session: Session) -> None:
        """Prolong all leases; who lost its own leaves the line."""
        for job in list(self._waiting.values()):
            if not leases.renew(session, Job, job.id, job.leased_by or "", seconds=self._seconds):
                self._waiting.pop(job.id, None)

    def next(self, job: Job) -> bool:
        """It is this one's turn; False where its lease was lost."""
        if self._waiting.pop(job.id, None) is None:
            return False
        with self._database.write() as session:
            name = job.leased_by or ""
            return jobs.renew(session, job.id, name, seconds=self._seconds, progress=0.0, stage="")

    def leave(self) -> None:
        """Back to the queue with all of them. Where the database is away, their leases run out by themselves."""
        left = [self._waiting.pop(number) for number in list(self._waiting)]
        if not left:
            return
        try:
            with self._database.write() as session:
                jobs.put_back_many(session, {job.id: job.leased_by or "" for job in left})
        except SQLAlchemyError as error:
            logger.warning("%d jobs in line could not be put back (%s)", len(left), type(error).__name__)


class Together:
    """Answers jobs about one video, for one model version, in their order; each at most once.

    The video is fetched and opened for the first of them. ``min_iou`` as of :func:`backend.jobs.grounding.ground_job`.
    """

    def __init__(
        self, database: Database, media: Media, engine: Engine, line: Sequence[Job], min_iou: float = MIN_IOU
    ) -> None:
        self._database, self._media, self._engine, self._jobs = database, media, engine, line
        self._min_iou = min_iou
        self._file: MediaFile | StvgError | None = None
        self._asked: list[int] = []
        self._answers: Answers | None = None
        self._progress: Progress = lambda share, stage: None

    def ground(self, job: Job, progress: Progress) -> None:
        """Do a job.

        Raises: as :func:`backend.jobs.grounding.ground_job`. A video that cannot be fetched is so for all of them.
        """
        self._progress = progress
        progress(0.0, "fetch")
        require_version(self._engine, job)
        file = self._fetched(job, progress)
        answer_job(self._database, job, file, lambda: self._answer(job, file), self._min_iou)

    def close(self) -> None:
        """Let go of the video."""
        if self._answers is not None:
            self._answers.close()
        self._answers = None

    def _fetched(self, job: Job, progress: Progress) -> MediaFile:
        if self._file is None:
            try:
                self._file = fetch_for(self._database, self._media, job, progress)
            except StvgError as error:
                self._file = error
        if isinstance(self._file, StvgError):
            raise self._file
        return self._file

    def _answer(self, job: Job, file: MediaFile) -> Grounding:
        """The next answer is this job's; where a job before it was passed over, the rest is asked anew."""
        if self._answers is None or self._asked[:1] != [job.id]:
            self.close()
            left = self._jobs[self._jobs.index(job) :]
            alike = takewhile(lambda one: one.segment == job.segment, left)  # another part is opened anew
            wanted = [one for one in alike if one is job or not is_known(self._database, one, file)]
            self._asked = [one.id for one in wanted]
            queries = [one.query for one in wanted]
            self._answers = self._engine.ground_many(file.path, queries, self._report, **within(job))
        self._asked.pop(0)
        found = next(self._answers)
        if isinstance(found, Exception):
            raise found
        return found

    def _report(self, share: float, stage: str) -> None:
        self._progress(share, stage)
