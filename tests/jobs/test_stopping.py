"""A worker that is told to stop ends, whatever it is doing, and its job is queued again with no attempt used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.db.engine import Database
from backend.jobs.lease import LeaseKeeper
from tests.jobs.conftest import Loop, make_loop
from tests.video.painted import write_painted

ROOT = Path(__file__).parents[2]

WORKER = """
import sys, time
from pathlib import Path
from backend.db.engine import Database
from backend.jobs.stopping import stopping
from tests.jobs.conftest import make_loop
from tests.jobs.hanging import {engine}
loop = make_loop(Database(sys.argv[1]), Path(sys.argv[2]))
{engine}(loop)
with stopping(sys.argv[1], loop.worker.stop.set, loop.worker.holding, give_up_s={give_up_s}):
    print("ready", flush=True)
    loop.worker.run()
print("ended by itself", flush=True)
"""


class Started:
    """A worker process with an engine of its own."""

    def __init__(self, loop: Loop, url: str, engine: str, give_up_s: float) -> None:
        self.loop = loop
        self.process = subprocess.Popen(
            [sys.executable, "-c", WORKER.format(engine=engine, give_up_s=give_up_s), url, str(loop.videos)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def wait_for(self, state: Callable[[], Any]) -> None:
        while not state():
            assert self.process.poll() is None
            time.sleep(0.02)

    def ended(self) -> str:
        """What it said at its end."""
        assert self.process.stdout is not None
        said = self.process.stdout.read()
        assert self.process.wait() == 0
        return said

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.parametrize(
    ("engine", "by_itself"),
    [("sleeps", False), ("holds_the_main_thread", False), ("decodes_for_ever", True), ("fetches_for_ever", True)],
)
def test_sigterm_ends_a_worker_that_hangs(loop: Loop, sqlite_url: str, engine: str, by_itself: bool) -> None:
    """Another process is waited for in short pieces: that worker ends by itself, however slow the machine is."""
    write_painted(loop.videos / "a.mp4", 5)
    loop.ask(loop.task(1))
    worker = Started(loop, sqlite_url, engine, give_up_s=120 if by_itself else 0.3)
    try:
        worker.wait_for(lambda: (loop.videos / "hangs").exists())
        worker.process.send_signal(signal.SIGTERM)
        said = worker.ended()
    finally:
        worker.end()
    assert ("ended by itself" in said) == by_itself
    job = loop.job()
    assert (job.state, job.attempts, job.leased_by) == ("queued", 0, None)


def test_sigterm_ends_a_worker_none_of_whose_threads_can_run(loop: Loop, sqlite_url: str) -> None:
    """A process of its own kills it; its job is free when the lease runs out, and the try is no failed one."""
    loop.ask(loop.task(1))
    worker = Started(loop, sqlite_url, "holds_the_lock", give_up_s=0.3)
    try:
        worker.wait_for(lambda: (loop.videos / "hangs").exists())
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait() == -signal.SIGKILL
    finally:
        worker.end()
    assert loop.job().state == "running"
    loop.make_due()
    assert loop.worker.run_once() and (loop.job().state, loop.job().attempts) == ("done", 1)


def test_the_guard_ends_with_the_worker(loop: Loop, sqlite_url: str) -> None:
    worker = Started(loop, sqlite_url, "sleeps", give_up_s=600)
    try:
        assert worker.process.stdout is not None and worker.process.stdout.readline() == "ready\n"
        [guard] = [one for one in psutil.Process(worker.process.pid).children() if "guard.py" in str(one.cmdline())]
        worker.process.kill()
        guard.wait()
    finally:
        worker.end()


def test_sigterm_ends_a_worker_that_waits_for_jobs(loop: Loop, sqlite_url: str) -> None:
    worker = Started(loop, sqlite_url, "sleeps", give_up_s=600)
    try:
        assert worker.process.stdout is not None and worker.process.stdout.readline() == "ready\n"
        worker.process.send_signal(signal.SIGTERM)
        assert "ended by itself" in worker.ended()
    finally:
        worker.end()


def test_a_second_signal_does_not_wait(loop: Loop, sqlite_url: str) -> None:
    loop.ask(loop.task(1))
    worker = Started(loop, sqlite_url, "sleeps", give_up_s=3600)
    try:
        worker.wait_for(lambda: (loop.videos / "hangs").exists())
        worker.process.send_signal(signal.SIGINT)
        worker.process.send_signal(signal.SIGTERM)
        assert "ended by itself" not in worker.ended()
    finally:
        worker.end()
    assert (loop.job().state, loop.job().attempts) == ("queued", 0)


DRAINS = """
import sys, time
from pathlib import Path
import backend.cli.worker as module
from backend.testing import FakeEngine
class Slow(FakeEngine):
    def ground(self, path, query, progress):
        Path(sys.argv[1]).touch()
        while True:
            progress(0.5, "look")
            time.sleep(0.01)
real = module.open_worker
module.open_worker = lambda settings, **more: real(settings, engine=Slow(), **more)
module.command(["--drain"])
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_does_what_is_due_now_puts_its_job_back_too(
    loop: Loop, sqlite_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    loop.ask(loop.task(1), loop.task(2, "another box"))
    env = {
        "PYTHONPATH": str(ROOT), "STVG_DATABASE_URL": sqlite_url, "STVG_DATA_DIR": str(tmp_path / "data"),
        "STVG_DOCUMENT_ROOT": str(loop.videos), "STVG_LABEL_STUDIO_URL": "", "STVG_LABEL_STUDIO_TOKEN": "",
    }  # fmt: skip
    reached = tmp_path / "reached"
    process = subprocess.Popen([sys.executable, "-c", DRAINS, str(reached)], cwd=ROOT, env={**os.environ, **env})
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    assert process.wait() == 0
    for job in (loop.job(1), loop.job(2)):
        assert (job.state, job.attempts, job.leased_by) == ("queued", 0, None)


def until(condition: Callable[[], object]) -> None:
    """Wait for a state; a test whose state never comes ends, late."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError("the state never came")


def test_a_lease_is_renewed_only_while_the_work_moves(
    sqlite_database: Database, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    """Work that hangs loses its job to another worker, and its late answer is dropped."""
    loop.ask(loop.task(1))
    loop.worker.lease_s, loop.worker.stall_s = 600, 0.3
    go_on = threading.Event()
    ground = loop.engine.ground

    def hang(path: Path, query: str, progress: Any) -> Any:
        progress(0.4, "look")
        go_on.wait()
        return ground(path, query, lambda share, stage: None)

    loop.engine.ground = hang  # type: ignore[method-assign]
    working = threading.Thread(target=loop.worker.run_once)
    working.start()
    until(lambda: "no progress for 0.3 s at stage 'look'; its lease is let run out" in caplog.text)
    loop.make_due()  # it ran out
    other = make_loop(sqlite_database, loop.videos)
    until(other.worker.run_once)
    assert loop.job().state == "done" and len(other.engine.calls) == 1
    go_on.set()
    working.join()
    assert "the lease was lost, its answer is dropped" in caplog.text
    assert loop.job().state == "done" and len(other.engine.calls) == 1


def test_work_that_moves_again_takes_its_lease_up_again(loop: Loop) -> None:
    loop.ask(loop.task(1))
    with loop.database.write() as session:
        from backend.db import jobs

        job = jobs.lease(session, "w", seconds=0.05)
    assert job is not None and job.leased_by is not None and job.lease_until is not None
    with LeaseKeeper(
        loop.database, job.id, job.leased_by, seconds=0.3, stop=threading.Event(), stall_s=0.2
    ) as keeper:  # fmt: skip
        until(lambda: keeper._stalled)
        before = loop.job().lease_until

        def taken_up() -> bool:
            keeper.progress(0.5, "look")
            return loop.job().lease_until != before

        until(taken_up)
    assert loop.job().stage == "look"
