"""Worker processes of a run: started again, given up, stopped, and gone when the run is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.runs.child import RunError
from backend.runs.processes import WorkerProcesses

WAITS = "import sys; sys.stdin.read()"
DEAF = "import signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); sys.stdin.read()"


def crew(tmp_path: Path, program: str, number: int = 1, *, grace_s: float = 60.0, killed: int = 25) -> WorkerProcesses:
    return WorkerProcesses([sys.executable, "-c", program], number, tmp_path / "logs", grace_s=grace_s, killed=killed)


def until_ended(pid: int) -> None:
    """A child that is not waited for yet is a zombie by now."""
    while Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z":
        time.sleep(0.01)


def test_as_many_as_asked_for_and_started_again(tmp_path: Path) -> None:
    workers = crew(tmp_path, WAITS, 2)
    try:
        assert workers.ensure(progressed=False) == [] and workers.ensure(progressed=False) == []
        first, second = workers.pids()
        os.kill(first, signal.SIGKILL)
        until_ended(first)
        assert workers.ensure(progressed=True) == ["worker 1 was ended by signal 9 and is started again"]
        assert len(workers.pids()) == 2 and second in workers.pids() and workers.restarts == 1
    finally:
        workers.stop()
    assert workers.pids() == []
    workers.stop()


def test_an_error_at_the_start_ends_the_run_with_the_last_lines(tmp_path: Path) -> None:
    workers = crew(tmp_path, "raise SystemExit('stvg: there is no such model')")
    with pytest.raises(RunError, match="there is no such model"):
        while True:
            workers.ensure(progressed=False)
            for pid in workers.pids():
                until_ended(pid)
    assert workers.restarts == workers.failures
    workers.stop()


def test_work_that_gets_done_forgives_deaths(tmp_path: Path) -> None:
    workers = crew(tmp_path, "import os; os.kill(os.getpid(), 9)", killed=3)

    def after_each(progressed: bool) -> None:
        workers.ensure(progressed=progressed)
        for pid in workers.pids():
            until_ended(pid)

    for _ in range(6):
        after_each(True)
    with pytest.raises(RunError, match="in a row"):
        for _ in range(4):
            after_each(False)
    workers.stop()


def test_one_that_does_not_follow_is_killed(tmp_path: Path) -> None:
    workers = crew(tmp_path, DEAF, grace_s=0.0)
    workers.ensure(progressed=False)
    [pid] = workers.pids()
    while "deaf" not in (tmp_path / "logs" / "worker-1.log").read_text():
        time.sleep(0.01)
    workers.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_workers_are_gone_when_the_run_is_killed(tmp_path: Path) -> None:
    """They hold a pipe of the run, which ends with it."""
    program = (
        "import sys, time; from pathlib import Path; from backend.runs.processes import WorkerProcesses\n"
        f"workers = WorkerProcesses([sys.executable, '-c', {WAITS!r}], 2, Path({str(tmp_path)!r}))\n"
        "workers.ensure(progressed=False); print(*workers.pids(), flush=True); time.sleep(3600)"
    )
    run = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert run.stdout is not None
    pids = [int(number) for number in run.stdout.readline().split()]
    run.kill()
    run.wait()
    assert len(pids) == 2
    while any(Path(f"/proc/{pid}").exists() and not _zombie(pid) for pid in pids):
        time.sleep(0.01)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


LOADS = "import os, sys; os.write(0, b'loaded\\n'); sys.stdin.read()"


def test_one_that_never_loads_its_model_is_ended(tmp_path: Path) -> None:
    """One that says that it has loaded it may do whatever it likes."""
    now = 0.0
    hangs, loads = (crew(tmp_path / name, program) for name, program in (("hangs", WAITS), ("loads", LOADS)))
    hangs.clock = loads.clock = lambda: now
    try:
        assert hangs.ensure(progressed=False) == loads.ensure(progressed=False) == []
        [hanging], [good] = hangs.pids(), loads.pids()
        assert loads._running[1].loaded(wait_s=None)
        now = 1801.0
        assert loads.ensure(progressed=False) == [] and loads.pids() == [good]
        [said] = hangs.ensure(progressed=False)
        assert said.startswith("worker 1 had not loaded its model after 1800 s") and "started again" in said
        assert not Path(f"/proc/{hanging}").exists() and hangs.pids() != [hanging]
        with pytest.raises(RunError, match="had not loaded its model"):
            for _ in range(3):
                now += 1801.0
                hangs.ensure(progressed=False)
    finally:
        hangs.stop()
        loads.stop()
