"""``stvg db``, ``stvg jobs``, ``stvg worker`` and ``stvg serve`` as a person calls them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from backend.bootstrap import open_worker
from backend.cli import worker
from backend.cli.main import stvg
from backend.db import events
from backend.db.engine import Database
from backend.db.schema import head_revision
from backend.db.tables import Calibration, Delivery, Event, Job
from backend.settings import Settings
from backend.testing import FakeEngine
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version
from tests.jobs.conftest import Loop


def _stvg(*words: str) -> Result:
    return CliRunner().invoke(stvg, words)


@pytest.fixture
def shell(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> Loop:
    """The environment of the test's database."""
    monkeypatch.setenv("STVG_DATABASE_URL", str(loop.database.engine.url))
    return loop


def test_the_database_is_made_and_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{tmp_path / 'new' / 'x.sqlite3'}")
    for words in (["db", "status"], ["jobs"], ["worker", "--drain"]):
        done = _stvg(*words)
        assert isinstance(done.exception, StvgError) and "stvg db upgrade" in str(done.exception)
    assert f"migration {head_revision()}" in _stvg("db", "upgrade").output
    assert "ready" in _stvg("db", "status").output and _stvg("jobs").output == "No jobs.\n"
    assert "migration none" in _stvg("db", "downgrade", "base", "--yes").output


def test_failed_jobs_are_listed_with_their_reason_and_retried(shell: Loop) -> None:
    shell.ask(shell.task(1, video="bad.mp4"), shell.task(2), shell.task(3, ""))
    shell.worker.drain()
    failed = _stvg("jobs", "--state", "failed").output
    assert "bad.mp4 is not a video." in failed and "The query is empty" in failed and len(failed.splitlines()) == 3
    rows = [json.loads(line) for line in _stvg("jobs", "--json").output.splitlines()]
    assert [(row["job"], row["state"], row["delivery"]) for row in rows] == [
        (3, "failed", None),
        (2, "done", "pending"),
        (1, "failed", None),
    ]
    (shell.videos / "bad.mp4").write_bytes(b"mended")
    assert "1 queued again" in _stvg("jobs", "retry", "1").output
    assert shell.worker.drain() == 1 and shell.job(1).state == "done"
    again = _stvg("jobs", "retry", "2", "99")
    assert again.exit_code == 1 and "Job 99 has not failed, or does not exist." in again.output
    assert "1 queued again" in _stvg("jobs", "retry", "--all").output
    assert _stvg("jobs", "retry").exit_code == 2


def test_jobs_of_the_demo_model_are_named(shell: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.ask(shell.task(1), shell.task(2))
    assert "demo model" not in _stvg("jobs").output
    with shell.database.write() as session:
        session.get_one(Job, 2).model_version = model_version(MODEL_DIR)
    assert _stvg("jobs").output.splitlines()[-1] == f"1 of 2 jobs are of the {DEMO_NOTICE}"
    rows = [json.loads(line) for line in _stvg("jobs", "--json").output.splitlines()]
    assert [row["notice"] for row in rows] == [DEMO_NOTICE, None]


@pytest.mark.parametrize(("version", "said"), [(model_version(MODEL_DIR), True), ("real@1/2", False)])
def test_a_worker_says_at_its_start_that_it_runs_the_demo_model(
    shell: Loop, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, version: str, said: bool
) -> None:
    engine = FakeEngine(model_version=version)
    monkeypatch.setattr(worker, "open_worker", lambda settings, **more: open_worker(settings, engine=engine, **more))
    monkeypatch.setattr(worker, "configure_logging", lambda *chosen: None)
    assert _stvg("worker", "--drain").exit_code == 0
    assert (DEMO_NOTICE in caplog.messages) is said


def test_a_refused_delivery_is_shown_and_retried(shell: Loop) -> None:
    shell.ask(shell.task(1))
    shell.worker.drain()
    gone = shell.label_studio.tasks.pop(1)
    shell.outbox.send_due()
    assert "nothing at /api/tasks/1/" in _stvg("jobs").output
    shell.label_studio.tasks[1] = gone
    assert "1 queued again" in _stvg("jobs", "retry", "1").output
    assert shell.outbox.send_due() == 1
    with shell.database.read() as session:
        assert session.get_one(Delivery, 1).state == "delivered"


def test_a_worker_made_from_settings_does_all_that_is_due(loop: Loop, tmp_path: Path) -> None:
    settings = Settings(
        database_url=str(loop.database.engine.url), document_root=loop.videos, data_dir=tmp_path / "data"
    )
    loop.ask(loop.task(1), loop.task(2, video="b.mp4"))
    process = open_worker(settings, engine=FakeEngine(), label_studio=loop.client)
    assert process.drain() == 2 and len(loop.label_studio.predictions) == 2
    assert [chore.name for chore in process.chores] == [
        "events", "read again", "compare", "calibrate", "outbox", "reconcile",
    ]  # fmt: skip


def test_start_training_in_label_studio_ends_as_a_calibration_with_its_reason(loop: Loop, tmp_path: Path) -> None:
    settings = Settings(
        database_url=str(loop.database.engine.url), document_root=loop.videos, data_dir=tmp_path / "data"
    )
    process = open_worker(settings, engine=FakeEngine(), label_studio=loop.client)
    body = b'{"action": "START_TRAINING", "project": {"id": 1}}'
    with loop.database.write() as session:
        events.store(session, body, action="START_TRAINING", project_id=1)
    process.drain()
    with loop.database.read() as session:
        [row] = session.query(Calibration)
        [event] = session.query(Event)
    assert (row.state, row.project_id, row.requested_by) == ("refused", 1, "Label Studio")
    assert row.reason is not None and "correct more tasks" in row.reason
    assert event.state == "done"


def test_the_running_service_answers_and_stops(tmp_path: Path) -> None:
    """``stvg serve`` as a process: ready, guarded, silent about secrets, and gone when told."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root), "STVG_PORT": str(port), "STVG_API_TOKEN": "the-api-token"}
    environment |= {"STVG_DATABASE_URL": f"sqlite:///{tmp_path / 'x.sqlite3'}", "STVG_MODEL": "some/model@1"}
    command = [sys.executable, "-c", "from backend.cli.main import main; main()"]
    assert subprocess.run([*command, "db", "upgrade"], env=environment, cwd=tmp_path).returncode == 0
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen([*command, "serve"], env=environment, cwd=tmp_path, stdout=output, stderr=output)
    try:
        until, url = time.monotonic() + 600, f"http://127.0.0.1:{port}"
        while True:
            assert time.monotonic() < until and process.poll() is None, log.read_text()
            try:
                if httpx.get(f"{url}/health", trust_env=False).status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(0.1)
        assert httpx.get(url, trust_env=False).status_code == 401
        headers = {"Authorization": "Token the-api-token"}
        assert httpx.get(url, headers=headers, trust_env=False).json()["model_version"].startswith("some--model@1/")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(600) == 0
    assert "the-api-token" not in log.read_text()


def test_a_database_in_the_settings_may_be_postgresql(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    process = open_worker(Settings(database_url=url), engine=FakeEngine())
    assert process.outbox is None and process.drain() == 0
