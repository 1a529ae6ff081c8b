"""The process beside a worker: what it looks at may be taken away under its eyes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from backend.jobs import guard


def started(signals: socket.socket, seconds: float, *, nobody_reads: bool = False) -> subprocess.Popen[bytes]:
    """A guard whose worker is a process that only starts it."""
    worker = (
        "import subprocess, sys, time; "
        "guard = subprocess.Popen([sys.executable, '-I', '-S', *sys.argv[1:]], pass_fds=[int(sys.argv[-1])]); "
        "print(guard.pid, flush=True); time.sleep(3600)"
    )
    command = [sys.executable, "-c", worker, guard.__file__, str(seconds), str(signals.fileno())]
    reading, errors = os.pipe()
    os.close(reading)  # who writes there is told that nobody reads
    worker = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors if nobody_reads else None,
        pass_fds=(signals.fileno(),), bufsize=0,
    )  # fmt: skip
    os.close(errors)
    return worker


def is_there(pid: int) -> bool:
    """A process that has ended has no command line any more, whether or not somebody asked how it ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("way", ["it sees it", "it is told", "it sees it, and nobody reads its words"])
def test_a_worker_that_stays_after_a_signal_is_killed(way: str) -> None:
    reading, writing = socket.socketpair()
    worker = started(reading, 0.1, nobody_reads=way.endswith("words"))
    assert worker.stdin is not None
    if way.startswith("it sees it"):
        writing.send(bytes([signal.SIGCHLD]))
        writing.send(bytes([signal.SIGTERM]))
    else:
        worker.stdin.write(b"!")
    assert worker.wait() == -signal.SIGKILL


def test_one_that_ends_in_time_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = socket.socketpair()
    worker = started(reading, 3600)
    assert worker.stdin is not None and worker.stdout is not None
    pid = int(worker.stdout.readline())
    writing.send(bytes([signal.SIGTERM]))
    worker.stdin.close()
    while is_there(pid):
        assert worker.poll() is None
    worker.kill()
    assert worker.wait() == -signal.SIGKILL


def test_what_the_worker_takes_first_is_no_signal_and_keeps_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the look whether something is there and the look at it, the worker's own thread takes it."""
    reading, writing = socket.socketpair()
    looks = iter([[reading.fileno()], [0]])
    monkeypatch.setattr(guard.select, "select", lambda *_: (next(looks), [], []))
    monkeypatch.setattr(guard.os, "read", lambda *_: b"")
    assert guard._came(reading) is False
    writing.close()


def test_the_end_is_the_end_whatever_the_guard_does() -> None:
    reading, _ = socket.socketpair()
    one = guard.Guard(reading, 3600)
    assert one._process is not None
    os.kill(one._process.pid, signal.SIGSTOP)
    one.end()
    assert one._process.returncode == -signal.SIGKILL
    one.tell()


def test_where_none_can_be_started_the_worker_works(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guard.sys, "executable", "/nowhere/python")
    one = guard.Guard(socket.socketpair()[0], 1)
    one.tell()
    one.end()
    assert "no process guards this one" in caplog.text
