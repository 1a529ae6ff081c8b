"""``stvg prelabel --engine ray`` on two nodes and PostgreSQL: a node is killed, the run is killed and stopped.

The embedded model on rendered clips. Ray listens on loopback addresses only.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, make_url, select, text

from backend.db.engine import Database
from backend.db.tables import Job, Prediction
from stvg_core.demo.clips import split_scene, write_clip
from tests.prelabel.test_real_run import PROGRAM, hold_back, lines

pytestmark = [
    pytest.mark.parametrize("database_url", ["postgresql"], indirect=True),
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="NO RAY: pip install 'stvg[ray]'"),
]

SECRETS = ("a-key-that-nobody-may-see", "a-word-that-nobody-may-see")
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head for one worker."""
    from ray import cluster_utils

    folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")  # the paths of its sockets must be short
    # 127.0.0.1 itself is replaced by Ray with the machine's address in the network.
    head = {**NODE, "node_ip_address": "127.0.0.2", "temp_dir": folder}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        # Ray notes its newest cluster in /tmp/ray, which a new machine lacks and a user of Ray needs for himself.
        patch.setenv("RAY_TMPDIR", folder)
        (Path(folder) / "ray").mkdir()
        with own_signals():
            made = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        yield made
        made.shutdown()
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def own_signals() -> Iterator[None]:
    """Ray sets a handler at each node that it starts."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def env(database_url: str, tmp_path: Path) -> dict[str, str]:
    """Settings of a run; the server takes any password."""
    url = make_url(database_url).set(password=SECRETS[1]).render_as_string(hide_password=False)
    return {
        "STVG_DATABASE_URL": url, "STVG_DATA_DIR": str(tmp_path / "data"), "STVG_LEASE_SECONDS": "5",
        "STVG_LLM_KEY": SECRETS[0], "STVG_LABEL_STUDIO_URL": "", "STVG_LABEL_STUDIO_TOKEN": "", "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }  # fmt: skip


def made(folder: Path, clips: int) -> Path:
    folder.mkdir()
    rows = ["video,query"]
    for number in range(clips):
        scene = split_scene("demo", number, difficulty="easy", max_seconds=1.0)
        write_clip(folder / f"clip-{number}.mp4", scene)
        rows += [f"clip-{number}.mp4,{scene.query}", f"clip-{number}.mp4,the thing on the left"]
    (folder / "videos.csv").write_text("\n".join(rows) + "\n")
    return folder


def start(folder: Path, env: Mapping[str, str], *engine: str) -> subprocess.Popen[str]:
    command = [*PROGRAM, "prelabel", str(folder), "--json", *engine]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **env}
    )


def ray(cluster: Any, workers: int) -> list[str]:
    return ["--engine", "ray", "--address", cluster.address, "--workers", str(workers), "--gpus-per-worker", "0"]


def until(run: subprocess.Popen[str], state: Callable[[], bool]) -> None:
    while not state():
        assert run.poll() is None, run.communicate()[0]
        time.sleep(0.1)


@contextmanager
def no_answer_is_stored(database: Database) -> Iterator[None]:
    """Within the block workers take jobs and keep them: no run is over before the test has seen what it must see."""
    with database.engine.begin() as connection:
        connection.execute(text("LOCK TABLE prediction IN SHARE MODE"))
        yield


def until_said(run: subprocess.Popen[str], words: str) -> list[str]:
    """The lines up to the first note with these words."""
    said = []
    assert run.stdout is not None
    for line in run.stdout:
        said.append(line)
        if '"note"' in line and words in line:
            return said
    raise AssertionError(said)


def at_work(database: Database) -> set[int]:
    """Process ids of the workers that hold jobs."""
    with database.read() as session:
        names = session.scalars(select(Job.leased_by).where(Job.state == "running")).all()
    machine = f"{socket.gethostname()}:"
    return {int(name.removeprefix(machine).partition("#")[0]) for name in names if name and name.startswith(machine)}


def in_state(database: Database, state: str) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Job).where(Job.state == state)) or 0


def each_has_one_answer(database: Database, number: int) -> None:
    with database.read() as session:
        assert in_state(database, "done") == number
        rows = session.scalars(select(Prediction)).all()
        assert len({(row.video_id, row.query) for row in rows}) == len(rows) == number


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def secrets_in(folder: Path) -> list[str]:
    """Files that hold one of the secrets, and processes whose command line does."""
    found = [
        str(path)
        for path in [*folder.rglob("*"), *Path("/proc").glob("[0-9]*/cmdline")]
        if path.is_file() and any(secret.encode() in _bytes(path) for secret in SECRETS)
    ]
    return found


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_node_that_is_killed_costs_what_it_had_in_hand(
    cluster: Any, database: Database, env: dict[str, str], tmp_path: Path
) -> None:
    folder = made(tmp_path / "clips", 8)
    with own_signals():
        node = cluster.add_node(**NODE, node_ip_address="127.0.0.3")
    with no_answer_is_stored(database):
        run = start(folder, env, *ray(cluster, 2))
        until(run, lambda: len(at_work(database)) == 2)
        workers = at_work(database)
        cluster.remove_node(node, allow_graceful=False)  # SIGKILL
        until(run, lambda: sum(map(gone, workers)) == 1)
    said = lines(run)
    assert run.returncode == 0, said
    assert (said[-1]["event"], said[-1]["done"], said[-1]["failed"]) == ("summary", 16, 0)
    each_has_one_answer(database, 16)
    assert all(map(gone, workers))
    session_folder = Path(cluster.head_node.get_session_dir_path())
    assert list(session_folder.glob("logs/*")) and secrets_in(session_folder) == []
    assert secrets_in(tmp_path / "data") == []


def test_a_node_that_is_killed_is_said_and_a_new_one_takes_its_place(
    cluster: Any, database: Database, env: dict[str, str], tmp_path: Path
) -> None:
    """The only node with two CPUs is killed, so nothing can be done until Ray has noticed and another one is there."""
    folder = made(tmp_path / "clips", 4)
    large = {**NODE, "num_cpus": 2}
    with own_signals():
        node = cluster.add_node(**large, node_ip_address="127.0.0.5")
    with no_answer_is_stored(database):
        run = start(folder, env, *ray(cluster, 1), "--cpus-per-worker", "2")
        until(run, lambda: bool(at_work(database)))
        workers = at_work(database)
        cluster.remove_node(node, allow_graceful=False)
    said = until_said(run, "worker 1 on ")
    assert " is lost (" in said[-1] and "its lease runs out" in said[-1], said
    assert in_state(database, "done") < 8
    until(run, lambda: all(map(gone, workers)))
    with own_signals():
        node = cluster.add_node(**large, node_ip_address="127.0.0.6")
    last = lines(run)[-1]
    assert run.returncode == 0 and (last["event"], last["done"], last["failed"]) == ("summary", 8, 0)
    each_has_one_answer(database, 8)
    cluster.remove_node(node, allow_graceful=False)


def test_a_run_that_is_killed_and_stopped_is_ended_by_processes(
    cluster: Any, database: Database, env: dict[str, str], tmp_path: Path
) -> None:
    folder = made(tmp_path / "clips", 4)
    with no_answer_is_stored(database):
        run = start(folder, env, *ray(cluster, 1))
        until(run, lambda: bool(at_work(database)))
        workers = at_work(database)
        run.kill()
        run.communicate()
        while not all(map(gone, workers)):  # Ray ends the actors of a driver that is gone
            time.sleep(0.1)

    hold_back(database, all_but=2)
    run = start(folder, env, *ray(cluster, 1))
    until(run, lambda: in_state(database, "done") == 2)
    with no_answer_is_stored(database):
        hold_back(database, all_but=8)
        until(run, lambda: bool(at_work(database) - workers))
        run.send_signal(signal.SIGTERM)
    said = lines(run)
    assert run.returncode == 128 + signal.SIGTERM, said
    assert said[-1]["event"] == "summary" and said[-1]["interrupted"] and said[-1]["waiting"] > 0
    assert in_state(database, "running") == 0, "what was in hand was put back"

    run = start(folder, env, "--engine", "processes")
    last = lines(run)[-1]
    assert run.returncode == 0, last
    assert (last["items"], last["new"], last["done"], last["failed"]) == (8, 0, 8, 0)
    each_has_one_answer(database, 8)


def test_a_machine_where_no_worker_starts_costs_one_worker(
    cluster: Any, database: Database, env: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own settings name a model that is not there."""
    folder = made(tmp_path / "clips", 2)
    with monkeypatch.context() as patched, own_signals():
        patched.setenv("STVG_MODEL", str(tmp_path / "nowhere"))
        node = cluster.add_node(**NODE, node_ip_address="127.0.0.4")
    with no_answer_is_stored(database):
        run = start(folder, env, *ray(cluster, 2))
        first = json.loads(until_said(run, " ended on ")[-1])
    said = [first, *lines(run)]
    assert run.returncode == 0, said
    ended = [line["said"] for line in said if line["event"] == "note" and " ended on " in line["said"]]
    assert len(ended) == 1 and f"There is no model folder {tmp_path / 'nowhere'}" in ended[0], "its reason, once"
    each_has_one_answer(database, 4)
    cluster.remove_node(node, allow_graceful=False)


def test_an_address_where_no_cluster_is(env: dict[str, str], tmp_path: Path) -> None:
    run = start(made(tmp_path / "clips", 1), env, "--engine", "ray", "--address", "127.0.0.1:1")
    said = run.communicate()[0]
    assert run.returncode == 1 and "stvg: No Ray cluster answers at 127.0.0.1:1 (" in said, said
