"""Nothing that the demo starts outlives it, whichever way it ends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.processes import Child, ProcessError, free_port

# A child that starts a child of its own and ignores polite requests to end; both write their numbers to a file.
STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
open(sys.argv[1], "w").write(f"{os.getpid()} {grandchild.pid}\\n")
time.sleep(600)
"""


def running(pid: int) -> bool:
    """Zombies do not count: they wait for their parent to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_for(condition: Callable[[], bool], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


def pids(file: Path) -> list[int]:
    wait_for(lambda: file.exists() and file.read_text().endswith("\n"))
    return [int(pid) for pid in file.read_text().split()]


def test_stop_ends_children_of_children_that_ignore_sigterm(tmp_path: Path) -> None:
    file = tmp_path / "pids"
    child = Child("stubborn", [sys.executable, "-c", STUBBORN, str(file)], log=tmp_path / "log", env={})
    child.start()
    family = pids(file)
    assert all(running(pid) for pid in family)
    child.stop(grace_s=0.3)
    assert not child.alive
    wait_for(lambda: not any(running(pid) for pid in family))
    child.stop()  # a second time is harmless


@pytest.mark.parametrize(
    "ending",
    [
        "sys.exit(0)",
        "raise RuntimeError('a defect')",
        "os.kill(os.getpid(), signal.SIGTERM); time.sleep(30)",
        "os.kill(os.getpid(), signal.SIGHUP); time.sleep(30)",
        "os.kill(os.getpid(), signal.SIGINT); time.sleep(30)",
        "os.kill(os.getpid(), signal.SIGKILL)",
    ],
)
def test_children_end_with_the_demo_however_it_ends(tmp_path: Path, ending: str) -> None:
    script = textwrap.dedent(
        f"""
        import os, signal, sys, time
        from pathlib import Path
        from backend.processes import Child, exit_on_signals
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # under nohup it is ignored, and stays so
        exit_on_signals()
        file = Path({str(tmp_path / "pids")!r})
        sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
        child = Child("sleeper", sleep, log=file.with_name("log"), env={{}})
        child.start()
        file.write_text(f"{{child.pid}}\\n")
        {ending}
        """
    )
    subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=600)
    (pid,) = pids(tmp_path / "pids")
    wait_for(lambda: not running(pid))


def test_a_child_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = Child("web", [sys.executable, "-c", "raise SystemExit('port taken')"], log=tmp_path / "log", env={})
    child.start()
    with pytest.raises(ProcessError, match=r"web ended before it was ready.*\n.*port taken"):
        child.wait_until(lambda: False, timeout_s=600)


def test_a_child_that_never_gets_ready_is_reported(tmp_path: Path) -> None:
    child = Child("web", [sys.executable, "-c", "import time; time.sleep(600)"], log=tmp_path / "log", env={})
    child.start()
    with pytest.raises(ProcessError, match="web was not ready after 0 s"):
        child.wait_until(lambda: False, timeout_s=0.3)
    child.kill()
    assert not child.alive


def test_a_missing_program_is_said_plainly(tmp_path: Path) -> None:
    child = Child("Label Studio", [tmp_path / "nowhere"], log=tmp_path / "log", env={})
    with pytest.raises(ProcessError, match=r"Label Studio cannot be started: .*nowhere: No such file"):
        child.start()


def test_free_ports_are_free() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", free_port()))


def test_the_environment_is_added_not_replaced(tmp_path: Path) -> None:
    code = "import os; print(os.environ['PATH'] != '', os.environ['STVG_X'])"
    child = Child("env", [sys.executable, "-c", code], log=tmp_path / "log", env={"STVG_X": "seven"})
    child.start()
    child.wait_for_success(timeout_s=600)
    assert child.tail() == "True seven"
    assert "STVG_X" not in os.environ
