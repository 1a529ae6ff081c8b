"""How is a row kept while something short is done with it, so that it is soon free again if the process dies?"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from backend.db import lease as leases
from backend.db.engine import Database
from backend.db.tables import Leased

logger = logging.getLogger(__name__)

_TIMES = 3
"""So often is a lease renewed in its own time."""


@contextmanager
def renewing(
    database: Database, table: type[Leased], number: int, lease_name: str, *, seconds: float, most_s: float
) -> Iterator[None]:
    """Within the block the lease is renewed from a thread, but for ``most_s`` at most: what hangs is let go."""
    over = threading.Event()
    until = time.monotonic() + most_s

    def renew() -> None:
        while not over.wait(seconds / _TIMES) and time.monotonic() < until:
            try:
                with database.write() as session:
                    if not leases.renew(session, table, number, lease_name, seconds=seconds):
                        return
            except SQLAlchemyError as error:
                logger.warning(
                    "%s %d: the lease could not be renewed (%s)", table.__name__, number, type(error).__name__
                )

    thread = threading.Thread(target=renew, name=f"renew-{table.__name__}-{number}", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
