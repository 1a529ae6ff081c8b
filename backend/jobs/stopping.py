"""How does a worker end soon after it is told to, whatever it is doing?

The first signal asks: the work is given up at its next report of progress, and its job goes back to the queue. Where no
report comes (a model or a library that hangs), the process ends itself hard, and first puts back that job and all that
wait for their turn. The signal is read from a socket by a thread of its own: a handler in Python would wait for the
hanging call to return. Where no thread can run either, another process kills this one (``guard.py``), and its leases
run out.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from backend.db import jobs
from backend.db.engine import Database
from backend.jobs.guard import SIGNALS, Guard

logger = logging.getLogger(__name__)

GIVE_UP_S = 8.0
"""Well below the 10 s after which Docker, among others, kills."""
_PUT_BACK_S = 1.5
_MARGIN_S = 0.3
_OVER = 0
"""Stands among the signals for the end of the block; no signal has this number."""


class Holding(NamedTuple):
    """A job that a worker has at present, and the name under which it is leased."""

    job_id: int
    leased_by: str


@contextmanager
def stopping(
    database_url: str, stop: Callable[[], None], holding: Callable[[], Sequence[Holding]], *,
    give_up_s: float = GIVE_UP_S,
) -> Iterator[None]:  # fmt: skip
    """Within the block SIGTERM and SIGINT call ``stop``; a second one, or the time, ends the process. Main thread only.

    Args:
        database_url: the jobs are put back by a new connection, as those of the process may be stuck.
        holding: all that the worker has at that moment.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    guard = Guard(reading, give_up_s + _PUT_BACK_S + _MARGIN_S)
    before = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)

    def listen() -> None:
        if _next(reading, None) == _OVER:
            return
        guard.tell()
        stop()
        if _next(reading, give_up_s) != _OVER:
            _end_hard(database_url, holding())

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        for number, handler in before.items():
            signal.signal(number, handler)
        writing.send(bytes([_OVER]))
        listener.join()
        guard.end()
        reading.close()
        writing.close()


def _next(reading: socket.socket, seconds: float | None) -> int | None:
    """The next of our signals, or ``_OVER``; None where neither came in time."""
    until = None if seconds is None else time.monotonic() + seconds
    while True:
        left = None if until is None else max(0.0, until - time.monotonic())
        if not select.select([reading], [], [], left)[0]:
            return None
        number = reading.recv(1)[0]
        if number in (_OVER, *SIGNALS):
            return number


def _end_hard(database_url: str, held: Sequence[Holding]) -> None:
    """Does not return."""
    logger.warning("the work does not end by itself: the process ends now, its jobs go back to the queue")
    if held:
        thread = threading.Thread(target=_put_back, args=(database_url, held), daemon=True)
        thread.start()
        thread.join(_PUT_BACK_S)
        if thread.is_alive():
            logger.warning("%d jobs could not be put back: their leases run out by themselves", len(held))
    os._exit(0)


def _put_back(database_url: str, held: Sequence[Holding]) -> None:
    try:
        database = Database(database_url)
        with database.write() as session:
            jobs.put_back_many(session, {one.job_id: one.leased_by for one in held})
    except Exception as error:
        logger.warning("%d jobs could not be put back (%s)", len(held), type(error).__name__)
