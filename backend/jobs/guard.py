"""Who ends a worker whose own threads cannot run any more?

A call in C that never gives the interpreter's lock back stops every thread, also the one that waits for signals. A
small process beside the worker sees that a signal came and that the worker is still there, and kills it.

Run as a program (``python guard.py SECONDS SOCKET``) this file is that process; it needs the standard library only.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress

logger = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LOOK_S = 0.2


class Guard:
    """The process beside this one. Where it cannot be started, or is gone, nothing else changes.

    Args:
        signals: where the numbers of signals arrive. The guard looks at them and takes none.
        seconds: so long after a signal this process is killed, unless :meth:`end` was called by then.
    """

    def __init__(self, signals: socket.socket, seconds: float) -> None:
        command = [sys.executable, "-I", "-S", __file__, str(seconds), str(signals.fileno())]
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, pass_fds=(signals.fileno(),), start_new_session=True, bufsize=0
            )
        except OSError as error:
            logger.warning("no process guards this one (%s): a call that hangs may keep it from ending", error)

    def tell(self) -> None:
        """A signal came, and was taken from where the guard looks."""
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, ValueError):  # it is gone, or its end was said
                self._process.stdin.write(b"!")

    def end(self) -> None:
        """It has nothing to finish: whatever it does, it is gone then."""
        if self._process is not None and self._process.stdin is not None:
            self._process.kill()
            self._process.wait()
            with suppress(OSError):
                self._process.stdin.close()


def _guard(seconds: float, signals: socket.socket) -> None:
    for number in SIGNALS:  # a whole group may be told to end: the guard goes last
        signal.signal(number, signal.SIG_IGN)
    worker = os.getppid()
    if _came(signals) and not _is_over(time.monotonic() + seconds) and os.getppid() == worker:
        os.kill(worker, signal.SIGKILL)  # before it is said: whoever reads what is said may be gone
        sys.stderr.write(f"the worker hung and ran no code of its own: it was killed after {seconds:g} s\n")


def _came(signals: socket.socket) -> bool:
    """Wait for a signal; False where the worker ended without one."""
    while True:
        if 0 in select.select([0, signals.fileno()], [], [])[0]:
            return os.read(0, 1) == b"!"
        with suppress(BlockingIOError):  # the worker was faster, and tells us
            if set(signals.recv(64, socket.MSG_PEEK | socket.MSG_DONTWAIT)) & set(SIGNALS):
                return True
        time.sleep(_LOOK_S)  # another signal's number, which nobody has taken yet


def _is_over(until: float) -> bool:
    """Has the worker ended, or said that it needs no guard any more, before ``until``?"""
    while select.select([0], [], [], max(0.0, until - time.monotonic()))[0]:
        if not os.read(0, 1):
            return True
    return False


if __name__ == "__main__":
    _guard(float(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])))
