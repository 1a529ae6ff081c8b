"""Which engine a run has, what is refused before it starts, and what a worker on another machine is told."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from backend.cli import prelabel_engines as module
from backend.cli import worker
from backend.cli.main import stvg
from backend.cli.prelabel_engines import Chosen, Engine
from backend.media.file_address import file_address
from backend.runs.child import Child, RunError
from backend.runs.handing_on import handed_on, taken_over
from backend.runs.processes import WorkerProcesses
from backend.runs.ray_actor import Order, WorkerActor
from backend.settings import Settings, SettingsError
from stvg_core.errors import StvgError

POSTGRES = "postgresql+psycopg://me:geheim@db.example/stvg"


def chosen(name: str = "ray", workers: int = 1, address: str | None = None, **more: float) -> Chosen:
    return Chosen(name, workers, address, more.get("gpus"), more.get("cpus"), more.get("hours"))


@pytest.fixture
def with_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if Ray were installed; no cluster is named by the environment."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.mark.parametrize(
    "options",
    [
        ("--address", "auto"), ("--gpus-per-worker", "1"), ("--cpus-per-worker", "2"), ("--worker-hours", "1"),
        ("--workers", "65"), ("--engine", "ray", "--enqueue-only"), ("--engine", "ray", "--gpus-per-worker", "1.5"),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together(options: tuple[str, ...]) -> None:
    result = CliRunner().invoke(stvg, ["prelabel", "nothing.csv", *options])
    assert result.exit_code == 2 and ("--engine ray" in result.output or "one GPU" in result.output)


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(StvgError, match=r"pip install 'stvg\[ray\]'"):
        chosen().check(Settings(), works=True)


@pytest.mark.usefixtures("with_ray")
def test_sqlite_is_for_one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    one_file, server = Settings(database_url="sqlite:///a.sqlite3"), Settings(database_url=POSTGRES)
    chosen().check(one_file, works=True)
    chosen(address="10.0.0.1:6379").check(server, works=True)
    with pytest.raises(StvgError, match="need PostgreSQL"):
        chosen(address="auto").check(one_file, works=True)
    with pytest.raises(StvgError, match="ray://"):
        chosen(address="ray://10.0.0.1:10001").check(server, works=True)
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    with pytest.raises(StvgError, match="need PostgreSQL"):
        chosen().check(one_file, works=True)


def test_processes_need_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    chosen("processes", 64).check(Settings(), works=True)
    with pytest.raises(click.UsageError):
        chosen("processes", gpus=0.0).check(Settings(), works=True)


def test_the_runs_settings_travel_those_of_the_web_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights").mkdir()
    here = {
        "STVG_DATABASE_URL": POSTGRES, "STVG_LLM_KEY": "k", "STVG_MODEL": "weights", "STVG_LEASE_SECONDS": "7",
        "STVG_PASSWORD": "p", "STVG_SECRET_KEY": "s", "STVG_API_TOKEN": "t", "STVG_WEBHOOK_TOKEN": "w",
        "STVG_PORT": "1", "STVG_DEVICE": "cuda:3", "STVG_WORKER_METRICS_PORT": "2", "STVG_DOCUMENT_ROOT": "root",
        "PATH": "/bin", "AWS_SECRET_ACCESS_KEY": "a",
    }  # fmt: skip
    for name, value in here.items():
        monkeypatch.setenv(name, value)
    assert handed_on(Settings(), here) == {
        "STVG_DATABASE_URL": POSTGRES, "STVG_LLM_KEY": "k", "STVG_MODEL": str(tmp_path / "weights"),
        "STVG_LEASE_SECONDS": "7", "STVG_DATA_DIR": str(tmp_path / "stvg-data"),
        "STVG_DOCUMENT_ROOT": str(tmp_path / "root"),
    }  # fmt: skip


def test_a_file_database_is_named_by_its_whole_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STVG_DATABASE_URL", raising=False)
    assert handed_on(Settings(), {})["STVG_DATABASE_URL"] == f"sqlite:///{tmp_path}/stvg.sqlite3"
    assert "STVG_MODEL" not in handed_on(Settings(), {}), "each machine has its own copy of the embedded model"


def test_a_machines_own_folders_go_before_its_database_does_not() -> None:
    sent = {"STVG_DATABASE_URL": POSTGRES, "STVG_DATA_DIR": "/run", "STVG_MODEL": "/run/model"}
    own = {
        "STVG_DATABASE_URL": "sqlite:///mine", "STVG_DATA_DIR": "/mine", "STVG_DEVICE": "cpu", "STVG_PRECISION": "4bit",
        "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "2",
    }  # fmt: skip
    assert taken_over(sent, own) == {
        "STVG_DATABASE_URL": POSTGRES, "STVG_DATA_DIR": "/mine", "STVG_MODEL": "/run/model", "STVG_DEVICE": "cpu",
        "PATH": "/bin", "CUDA_VISIBLE_DEVICES": "2",
    }  # fmt: skip


def test_an_order_does_not_show_its_settings() -> None:
    assert "geheim" not in repr(Order(("--drain",), {"STVG_DATABASE_URL": POSTGRES}, "logs"))
    assert "geheim" not in repr(WorkerActor())


def test_an_actor_tells_how_its_worker_ended(tmp_path: Path) -> None:
    actor = WorkerActor()
    settings = {"STVG_DATA_DIR": str(tmp_path), "STVG_DATABASE_URL": f"sqlite:///{tmp_path}/none.sqlite3"}
    begun = actor.begin(Order(("--drain", "--project", "1"), settings, "logs"))
    end = actor.wait()
    assert begun.machine == socket.gethostname() and begun.worker.startswith(f"{socket.gethostname()}:")
    assert end.status == 1 and "stvg db upgrade" in end.tail
    assert Path(end.log).parent == tmp_path / "logs"
    actor.stop()


def test_an_actor_that_may_not_write_its_log_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    actor = WorkerActor()
    assert actor.begin(Order((), {"STVG_DATA_DIR": str(tmp_path / "file")}, "logs")).worker == ""
    end = actor.wait()
    assert end.status == 1 and "cannot be started" in end.tail and str(tmp_path / "file") in end.tail
    actor.leave()
    actor.stop()


def test_an_actor_tells_whether_its_worker_has_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for program, loaded in (("import os, time; os.write(0, b'loaded\\n'); time.sleep(3600)", True), ("", False)):
        monkeypatch.setattr("backend.runs.ray_actor.worker_command", lambda *more: [sys.executable, "-c", program])  # noqa: B023
        actor = WorkerActor()
        assert not actor.loaded(), "it has not begun"
        actor.begin(Order((), {"STVG_DATA_DIR": str(tmp_path)}, "logs"))
        assert actor.loaded() is loaded
        actor.stop()


def test_an_actor_stops_its_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = "import time; print('up', flush=True); time.sleep(3600)"
    monkeypatch.setattr("backend.runs.ray_actor.worker_command", lambda *more: [sys.executable, "-c", program])
    actor = WorkerActor()
    actor.begin(Order((), {"STVG_DATA_DIR": str(tmp_path)}, "logs"))
    while not any("up" in path.read_text() for path in (tmp_path / "logs").iterdir()):
        time.sleep(0.01)
    actor.stop()
    assert actor.wait().status == -15


def test_another_model_on_a_machine_is_an_error() -> None:
    worker.require_version(Settings(), module.present_model_version(Settings()))
    with pytest.raises(SettingsError, match=f"asks the model other@1/2, but on {socket.gethostname()} it is"):
        worker.require_version(Settings(), "other@1/2")


def test_a_machine_that_does_not_see_the_videos_is_an_error(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"x")
    address = file_address(video)
    worker.require_files(Settings(), [address], -1)
    video.unlink()
    with pytest.raises(SettingsError, match=r"does not see the videos of the run: There is no video .*a\.mp4"):
        worker.require_files(Settings(), [address], -1)
    worker.require_files(Settings(), ["https://example.org/a.mp4"], -1)


OWNED = """
import os, signal, sys, threading
from backend.cli.worker import Owner
signal.signal(signal.SIGTERM, lambda *_: print("stopped", flush=True))
owner = Owner()
if sys.argv[1] == "up":
    owner.leave = lambda: print("leaves", flush=True)
print("ready", flush=True)
owner.start()
owner.join()
"""


WORKS = """
import backend.cli.worker as module
from backend.testing import FakeEngine
real = module.open_worker
module.open_worker = lambda settings, **more: real(settings, engine=FakeEngine(), **more)
module.command(["--drain", "--owned", "--project", "1"])
"""


def test_a_worker_tells_its_run_that_its_model_is_loaded(sqlite_url: str, tmp_path: Path) -> None:
    for url, loaded in ((sqlite_url, True), (f"sqlite:///{tmp_path}/none.sqlite3", False)):
        settings = {"STVG_DATABASE_URL": url, "STVG_DATA_DIR": str(tmp_path), "STVG_LABEL_STUDIO_URL": ""}
        env = {**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[2])}
        child = Child([sys.executable, "-c", WORKS], env, tmp_path / "log")
        assert child.loaded(wait_s=None) is loaded, child.tail()
        assert (child.process.wait() == 0) is loaded
        child.tidy()


@pytest.mark.parametrize(("state", "said"), [("up", "leaves"), ("loading", "stopped")])
def test_a_worker_is_asked_to_leave_by_a_line_and_stopped_by_the_end(tmp_path: Path, state: str, said: str) -> None:
    """While it loads its model it has no job to wait for."""
    child = Child([sys.executable, "-c", OWNED, state], os.environ, tmp_path / "log")

    def has(*lines: str) -> bool:
        return (tmp_path / "log").read_text().split() == list(lines)

    while not has("ready"):
        time.sleep(0.01)
    child.leave()
    while not has("ready", said):
        time.sleep(0.01)
    child._line.close()
    assert child.process.wait() == 0
    assert has("ready", said, "stopped")
    child.leave()  # it is gone: no error
    child.tidy()


@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="NO RAY: pip install 'stvg[ray]'")
@pytest.mark.parametrize("call", ["look", "leave", "drop", "stop"])
def test_a_cluster_that_does_not_answer_is_an_error_of_the_run(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever of an actor is asked."""
    import ray
    import ray.exceptions

    from backend.runs import ray_cluster

    def away(*given: object, **named: object) -> object:
        raise ray.exceptions.RaySystemError("the control store is gone")

    class Handle:
        """Of an actor whose first calls still went through."""

        class _Call:
            remote = staticmethod(lambda *given: "call")

        begin = __ray_call__ = wait = loaded = _Call()
        leave = stop = type("Away", (), {"remote": staticmethod(away)})()

    actor = ray_cluster.RayActor(Handle(), Order((), {}, "logs"), lambda said: said)
    for name in ("wait", "kill"):
        monkeypatch.setattr(ray, name, away)
    actor._at = ray_cluster.Works("host", "node", "worker")
    with pytest.raises(RunError, match=r"The Ray cluster does not answer: .*the control store is gone"):
        getattr(actor, call)()


def test_workers_are_told_what_the_runs_line_says_of_the_method(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path).with_line("paper", ["proposer=embedded"])
    crew = Engine(settings, chosen()).workers(None, 7, "v", tmp_path, print)  # type: ignore[arg-type]
    assert isinstance(crew, WorkerProcesses)
    after = list(crew.command)[list(crew.command).index("worker") :]
    assert after[1:5] == ["--drain", "--owned", "--project", "7"]
    assert after[5:] == ["--preset", "paper", "--set", "proposer=embedded"]


@pytest.mark.parametrize(
    ("option", "said"), [(("--set", "n_slots=0"), "at least 1"), (("--preset", "papers"), "The nearest: paper")]
)
def test_settings_that_cannot_be_used_leave_no_database(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: tuple[str, str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STVG_DATABASE_URL", "sqlite:///new.sqlite3")
    (tmp_path / "table.csv").write_text("video,sentence\na.mp4,the man\n")
    result = CliRunner().invoke(stvg, ["prelabel", "table.csv", *option])
    assert isinstance(result.exception, StvgError) and said in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
