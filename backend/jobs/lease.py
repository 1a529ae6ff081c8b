"""How does a worker keep a job while it works on it?"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db import jobs
from backend.db.engine import Database

logger = logging.getLogger(__name__)


STALL_S = 600.0


class LeaseLost(Exception):
    """Another worker may have the job now: whatever was found must not be stored."""


class Stopping(Exception):
    """The worker was asked to stop: the job goes back to the queue."""


class LeaseKeeper:
    """Renews a lease from a thread of its own, as long as the block lasts and the work moves.

    ``progress`` is what the engine calls: it notes the stage, and stops the work once it is in vain. Where it is not
    called for ``stall_s``, the work hangs: the lease is let run out, so that another worker can have the job. Work that
    moves again takes the lease up again if nobody else did. ``along`` renews other
    leases in the same transaction, before this one.
    """

    def __init__(
        self, database: Database, job_id: int, lease_name: str, *, seconds: float, stop: threading.Event,
        stall_s: float = STALL_S, along: Callable[[Session], None] = lambda session: None,
    ) -> None:  # fmt: skip
        self._along = along
        self._database, self._job_id, self._name, self._seconds = database, job_id, lease_name, seconds
        self._stop, self._stall_s = stop, stall_s
        self._moved = time.monotonic()
        self._share, self._stage = 0.0, ""
        self._lost = self._stalled = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._renew, name=f"lease-{job_id}", daemon=True)

    def __enter__(self) -> LeaseKeeper:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def progress(self, share: float, stage: str) -> None:
        """Note how far the work is.

        Raises:
            LeaseLost, Stopping: the work is in vain.
        """
        self._share, self._stage, self._moved = min(max(float(share), 0.0), 1.0), stage, time.monotonic()
        if self._lost:
            raise LeaseLost
        if self._stop.is_set():
            raise Stopping

    def _renew(self) -> None:
        renewed = time.monotonic()
        while not self._over.wait(min(self._seconds / 3, 2.0)):
            if self._stalls():
                continue
            try:
                with self._database.write() as session:
                    self._along(session)
                    held = jobs.renew(
                        session,
                        self._job_id,
                        self._name,
                        seconds=self._seconds,
                        progress=self._share,
                        stage=self._stage,
                    )
                if not held:
                    self._lost = True
                    return
                renewed = time.monotonic()
            except SQLAlchemyError as error:
                logger.warning("job %d: the lease could not be renewed (%s)", self._job_id, type(error).__name__)
                if time.monotonic() - renewed > self._seconds:
                    self._lost = True
                    return

    def _stalls(self) -> bool:
        stalled = time.monotonic() - self._moved > self._stall_s
        if stalled and not self._stalled:
            logger.error(
                "job %d: no progress for %g s at stage %r; its lease is let run out", self._job_id, self._stall_s,
                self._stage,
            )  # fmt: skip
        self._stalled = stalled
        return stalled
