"""``stvg up`` itself: real processes, one of which dies; an end that leaves nothing; and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import pytest
from click.testing import CliRunner

from backend.cli import serve, up
from backend.processes import Child, ProcessError, alone, free_port, own_command
from backend.settings import Settings, SettingsError
from backend.up.service import Service

LOGIN = {"STVG_USERNAME": "u", "STVG_PASSWORD": "a-long-password"}


def wait_for(condition: Callable[[], object], seconds: float = 600) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.05)


class Running:
    """A started ``stvg up`` and what it has said."""

    def __init__(self, folder: Path) -> None:
        self.port, self.said, self.logs = free_port(), folder / "said", folder / "stvg-data/logs"
        self.seen: list[psutil.Process] = []
        environment = {**os.environ, **LOGIN, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        with self.said.open("wb") as said:
            command = own_command("up", "--port", str(self.port))
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=said, stderr=said)

    def text(self) -> str:
        return self.said.read_text()

    def says(self, what: str, times: int = 1) -> None:
        def there() -> bool:
            assert self.process.poll() is None or self.text().count(what) >= times, self.text()
            return self.text().count(what) >= times

        wait_for(there)

    def family(self) -> list[psutil.Process]:
        self.seen = psutil.Process(self.process.pid).children(recursive=True)
        return self.seen

    def worker(self) -> psutil.Process:
        [found] = [one for one in psutil.Process(self.process.pid).children() if one.cmdline()[-1:] == ["worker"]]
        return found


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    started = Running(folder)
    try:
        yield started
    finally:
        started.process.kill()
        started.process.wait()
        for one in started.seen:  # where the test failed
            with suppress(psutil.NoSuchProcess):
                one.kill()


def gone(family: list[psutil.Process]) -> bool:
    return not any(
        one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family if psutil.pid_exists(one.pid)
    )


def test_it_makes_the_database_answers_starts_a_dead_worker_again_and_ends_at_sigterm(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.says("stvg listens on")
        assert httpx.get(f"http://127.0.0.1:{service.port}/ready", trust_env=False, timeout=60).status_code == 200
        first = service.worker()
        first.kill()
        service.says("worker 1 was ended by signal 9. It is started again in 1 s (1 of 5)")
        wait_for(lambda: "worker ready" in (service.logs / "worker-1.log").read_text())
        assert service.worker().pid != first.pid
        family = service.family()
        assert len(family) > 3  # a web process and its own, a worker and its guard
        service.process.send_signal(signal.SIGTERM)
        assert service.process.wait(600) == 0, service.text()
        wait_for(lambda: gone(family))
    said = service.text()
    assert re.match(r"The database is at migration \S+\.\n", said) and said.endswith("all processes have ended\n")
    assert "the web process: log in stvg-data/logs/web.log\nworker 1: log in stvg-data/logs/worker-1.log\n" in said
    assert "is not set: nothing is pushed" in said and "knows coloured shapes only" in said
    assert "worker stopped" in (service.logs / "worker-1.log").read_text(), "it was killed, not asked"
    assert "stvg listens" in (service.logs / "web.log").read_text()


def test_nothing_runs_on_when_it_is_killed_itself(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        service.says("stvg listens on")
        family = service.family()
        assert len(family) >= 3  # a web process and its own, a worker
        service.process.kill()
        wait_for(lambda: gone(family))


@pytest.mark.parametrize(
    ("environment", "arguments"),
    [
        ({"STVG_PASSWORD": ""}, []),
        ({"STVG_MODEL": "/no/such/model"}, []),
        ({}, ["--host", "203.0.113.7"]),
        ({"STVG_PORT": "http"}, []),
    ],
)
def test_it_refuses_what_serve_refuses_in_the_same_words(
    sqlite_url: str, environment: dict[str, str], arguments: list[str]
) -> None:
    environment = {**LOGIN, "STVG_DATABASE_URL": sqlite_url, **environment}
    refused = [CliRunner().invoke(one, arguments, env=environment) for one in (serve.command, up.command)]
    assert [result.exit_code for result in refused] == [1, 1]
    first, second = (f"{type(result.exception).__name__}: {result.exception}" for result in refused)
    assert first == second and len(first) > 40


def test_a_port_in_use_is_refused_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as other:
        arguments = ["--port", str(other.getsockname()[1])]
        result = CliRunner().invoke(up.command, arguments, env=LOGIN)
    assert isinstance(result.exception, SettingsError) and "another program uses port" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


def test_two_do_not_write_into_one_folder(tmp_path: Path, sqlite_url: str) -> None:
    environment = {**LOGIN, "STVG_DATABASE_URL": sqlite_url}
    arguments = ["--port", str(free_port()), "--logs", str(tmp_path)]
    with alone(tmp_path / "up.lock", "-"):
        result = CliRunner().invoke(up.command, arguments, env=environment)
    assert isinstance(result.exception, ProcessError) and "--logs" in str(result.exception)


def test_each_worker_has_its_gpu_its_metrics_and_its_log(tmp_path: Path) -> None:
    said: list[str] = []
    settings = Settings(worker_metrics_port=9100)
    service = Service(settings, 3, tmp_path, said.append, {"CUDA_VISIBLE_DEVICES": "4,5"})
    assert [child.log.name for child in service.workers] == ["worker-1.log", "worker-2.log", "worker-3.log"]
    assert [child.env for child in service.workers] == [
        {"CUDA_VISIBLE_DEVICES": "4", "STVG_WORKER_METRICS_PORT": "9100"},
        {"CUDA_VISIBLE_DEVICES": "5", "STVG_WORKER_METRICS_PORT": "9101"},
        {"CUDA_VISIBLE_DEVICES": "4", "STVG_WORKER_METRICS_PORT": "9102"},
    ]
    assert len(said) == 1 and "3 workers share the GPUs that are there (2)" in said[0]
    with pytest.raises(SettingsError, match="STVG_WORKER_METRICS_PORT=65534"):
        Service(Settings(worker_metrics_port=65534), 3, tmp_path, said.append, {})


@pytest.mark.parametrize(("answers", "said"), [(False, "ended before it was ready"), (True, "The web process ended")])
def test_nothing_goes_on_without_the_web_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers: bool, said: str
) -> None:
    service = Service(Settings(), 1, tmp_path, lambda _: None, {})
    ends = [sys.executable, "-c", "raise SystemExit('the port is taken')"]
    service.web = Child("the web process", ends, log=tmp_path / "web.log", env={})
    sleeps = [sys.executable, "-c", "import time; time.sleep(600)"]
    service.workers = [Child("worker 1", sleeps, log=tmp_path / "worker-1.log", env={})]
    monkeypatch.setattr(service, "_answers", lambda: answers)
    with pytest.raises(ProcessError, match=rf"(?s){said}.*the port is taken"):
        service.run()
    assert service.workers[0].status == -signal.SIGTERM and not service.workers[0].group_alive


def test_a_folder_with_a_package_of_the_same_name_is_not_taken(tmp_path: Path) -> None:
    """Commands are started in people's folders, and a folder named backend is a common one."""
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend/__init__.py").write_text("raise SystemExit('another backend')\n")
    done = subprocess.run(own_command("--version"), cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0 and done.stdout.startswith("stvg "), done.stderr
    assert own_command()[0] == sys.executable
