"""``stvg jobs`` and ``stvg prune`` on the command line; ``tests/db`` has what they find and change."""

from __future__ import annotations

import json
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import select, update

from backend.cli.main import stvg
from backend.db import events, projects
from backend.db.engine import Database
from backend.db.tables import Delivery, Event, Job, Task
from backend.db.types import now
from backend.jobs.corrections import read_events
from stvg_core.errors import StvgError
from tests.jobs.conftest import Loop, make_loop


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Loop:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setenv("STVG_DATA_DIR", str(tmp_path / "data"))
    return make_loop(sqlite_database, tmp_path)


def _stvg(*words: str) -> Result:
    return CliRunner().invoke(stvg, words)


def _state(loop: Loop, number: int) -> str:
    return loop.job(number).state


def test_failures_are_counted_by_reason_and_retried_by_it(loop: Loop) -> None:
    (loop.videos / "worse.mp4").write_bytes(b"not a video")
    loop.ask(loop.task(1, video="bad.mp4"), loop.task(2, video="worse.mp4"), loop.task(3, "crash please"))
    loop.worker.drain()
    first, second = _stvg("jobs", "reasons").output.splitlines()
    assert first.split(maxsplit=1) == ["2", "worse.mp4 is not a video.  (job 2)"] and "Internal error" in second
    rows = [json.loads(line) for line in _stvg("jobs", "reasons", "--json").output.splitlines()]
    assert [(row["jobs"], row["example"]) for row in rows] == [(2, 2), (1, 3)]
    assert _stvg("jobs", "--reason", "not a VIDEO").output.count("is not a video.") == 2
    assert _stvg("jobs", "retry", "--reason", "internal").output == "1 queued again.\n"
    assert [_state(loop, number) for number in (1, 2, 3)] == ["failed", "failed", "queued"]
    assert _stvg("jobs", "retry", "1", "--all").exit_code == 2
    assert _stvg("jobs", "retry", "--project", "2").output == "0 queued again.\n"
    assert _stvg("jobs", "retry", "--all").output == "2 queued again.\n"


def test_jobs_are_cancelled_by_number_by_choice_and_all(loop: Loop) -> None:
    loop.ask(*(loop.task(number, f"box {number}") for number in (1, 2, 3)))
    assert _stvg("jobs", "cancel").exit_code == 2
    assert _stvg("jobs", "cancel", "2").output == "1 cancelled.\n"
    again = _stvg("jobs", "cancel", "2", "99")
    assert again.exit_code == 1 and "0 cancelled." in again.output and "2 of those" in again.output
    assert _stvg("jobs", "cancel", "--version", "another@1").output == "0 cancelled.\n"
    assert _stvg("jobs", "cancel", "--all-queued").output == "2 cancelled.\n"
    assert loop.worker.drain() == 0 and "Cancelled by hand." in _stvg("jobs", "--state", "cancelled").output
    assert _stvg("jobs", "retry", "2").output == "1 queued again.\n" and loop.worker.drain() == 1


def test_a_version_without_a_worker_is_named(loop: Loop) -> None:
    loop.ask(loop.task(1))
    with loop.database.write() as session:
        session.execute(update(Job).values(model_version="older@1/0"))
    said = _stvg("jobs").output.splitlines()[-1]
    assert said == "1 job waits for model older@1/0, which nobody works on now: a worker of it was never seen."
    with loop.database.write() as session:
        session.execute(update(Job).values(state="running", lease_until=now() + timedelta(seconds=60)))
    assert "waits" not in _stvg("jobs").output


def test_what_label_studio_refused_is_listed_and_sent_again(loop: Loop) -> None:
    loop.ask(loop.task(1))
    loop.worker.drain()
    gone = loop.label_studio.tasks.pop(1)
    loop.outbox.send_due()
    assert "failed" in _stvg("jobs", "deliveries", "--failed").output
    [row] = [json.loads(line) for line in _stvg("jobs", "deliveries", "--json").output.splitlines()]
    assert (row["state"], row["task"], row["kind"]) == ("failed", 1, "prediction") and row["reason"]
    loop.label_studio.tasks[1] = gone
    assert _stvg("jobs", "deliveries", "retry").exit_code == 2
    assert _stvg("jobs", "deliveries", "retry", "7").exit_code == 1
    assert _stvg("jobs", "deliveries", "retry", "--all").output == "1 delivery to be tried again.\n"
    assert loop.outbox.send_due() == 1 and _stvg("jobs", "deliveries", "--failed").output == "No such deliveries.\n"


def test_events_that_cannot_be_read_are_listed_and_read_again(loop: Loop) -> None:
    with loop.database.write() as session:
        events.store(session, b"[]", action="X", project_id=1)
    read_events(loop.database)
    assert "JSON object" in _stvg("jobs", "events", "--failed").output
    assert _stvg("jobs", "events", "--project", "2").output == "No such events.\n"
    assert _stvg("jobs", "events", "retry", "1").output == "1 event to be tried again.\n"
    with loop.database.read() as session:
        assert session.scalars(select(Event.state)).one() == "new"


def test_prune_says_what_it_removed_and_nothing_without_a_setting(
    loop: Loop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    refused = _stvg("prune")
    assert isinstance(refused.exception, StvgError) and "STVG_KEEP_EVENTS_DAYS" in str(refused.exception)
    with loop.database.write() as session:
        events.store(session, b'{"action": "X", "project": 1}', action="X", project_id=1)
    read_events(loop.database)
    loop.ask(loop.task(1))
    loop.worker.drain()
    video = tmp_path / "data" / "media" / "entry"
    video.mkdir(parents=True)
    (video / ".meta.json").write_text("{}")
    (video / "a.mp4").write_bytes(b"x" * 500_000)
    for name in ("EVENTS", "JOBS", "VIDEOS"):
        monkeypatch.setenv(f"STVG_KEEP_{name}_DAYS", "1")
    expected = {"Bodies of webhooks": "1", "Finished jobs": "0", "Fetched videos": "0.0 MB"}
    with loop.database.write() as session:
        session.execute(update(Event).values(processed_at=now() - timedelta(days=2)))
    dry = _stvg("prune", "--dry-run").output.splitlines()
    assert dry == [f"{what} would be removed: {count}." for what, count in expected.items()]
    assert _stvg("prune").output.splitlines() == [f"{what} removed: {count}." for what, count in expected.items()]
    with loop.database.read() as session:
        assert session.scalars(select(Event.body)).one() == b"" and session.scalars(select(Delivery.state)).one()
    old = time.time() - 3 * 24 * 3600
    os.utime(video / ".meta.json", (old, old))
    assert "Fetched videos would be removed: 0.5 MB." in _stvg("prune", "--dry-run").output


def test_prune_removes_what_stopped_exports_left(loop: Loop, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    (folder / ".set.part-0123abcd").mkdir(parents=True)
    (folder / ".set.part-0123abcd" / "a.json").write_text("{}")
    for name in (".labels.json.part-89abcdef", ".labels.json.part-00000000", "labels.json", ".gitignore"):
        (folder / name).write_text("x")
    old = time.time() - 2 * 24 * 3600
    for name in (".set.part-0123abcd", ".labels.json.part-89abcdef", "labels.json", ".gitignore"):
        os.utime(folder / name, (old, old))
    assert _stvg("prune", "--exports", str(folder), "--dry-run").output == "Unfinished exports would be removed: 2.\n"
    assert _stvg("prune", "--exports", str(folder)).output == "Unfinished exports removed: 2.\n"
    assert sorted(path.name for path in folder.iterdir()) == [
        ".gitignore", ".labels.json.part-00000000", "labels.json",
    ]  # fmt: skip


def test_a_local_project_is_named_by_its_title(loop: Loop) -> None:
    with loop.database.write() as session:
        local = projects.local(session, "My clips", "<View/>").id
    loop.ask(loop.task(1, "a"), loop.task(2, "b"))
    with loop.database.write() as session:
        session.execute(update(Task).where(Task.ls_task_id == 2).values(project_id=local))
        session.execute(update(Job).where(Job.query == "b").values(state="failed", reason="no such video"))
    for words in (("jobs",), ("jobs", "reasons"), ("jobs", "deliveries"), ("jobs", "events")):
        unknown = _stvg(*words, "--project", "Others")
        assert isinstance(unknown.exception, StvgError) and '"My clips"' in str(unknown.exception), words
    [row] = [json.loads(line) for line in _stvg("jobs", "--project", "My clips", "--json").output.splitlines()]
    assert (row["project"], row["query"]) == (local, "b")
    assert "no such video" in _stvg("jobs", "reasons", "--project", "My clips").output
    assert _stvg("jobs", "retry", "--project", "My clips").output == "1 queued again.\n"
    assert _stvg("jobs", "cancel", "--project", "My clips").output == "1 cancelled.\n"
    assert _stvg("jobs", "deliveries", "retry", "--project", "My clips").output == "0 deliveries to be tried again.\n"
