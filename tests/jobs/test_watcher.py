"""An idle worker asks one statement per look, and whatever there is to do is seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, text, update

from backend.bootstrap import open_worker
from backend.db import calibrations, events
from backend.db.engine import Database
from backend.db.tables import Annotation, Calibration, Job, TaskState
from backend.jobs import due
from backend.jobs.watcher import IDLE_S, Watcher
from backend.settings import Settings
from backend.testing import FakeEngine
from tests.jobs.conftest import Loop

ALL = (due.JOBS, due.EVENTS, due.OUTBOX, due.CALIBRATE, due.COMPARE, due.READ_AGAIN)
LOOKS = "weights/looks"


@pytest.fixture
def watcher(each_loop: Loop) -> Iterator[Watcher]:
    found = Watcher(each_loop.database, threading.Event(), poll_s=0.01, looks=LOOKS, versions=each_loop.worker.versions)
    found.wakes = {name: threading.Event() for name in ALL}
    yield found
    found.close()


def _statements(database: Database) -> list[str]:
    seen: list[str] = []

    @event.listens_for(database.engine, "before_cursor_execute")
    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        seen.append(statement)

    return seen


def test_a_look_is_one_statement_outside_of_a_transaction(each_loop: Loop, watcher: Watcher) -> None:
    watcher.look()
    watcher.look()
    seen = _statements(each_loop.database)
    for _ in range(3):
        assert watcher.look().names == frozenset()
    assert len(seen) == 3 and all(one.startswith("SELECT") for one in seen)
    with each_loop.database.write() as session:  # the look's connection holds nothing that others wait for
        session.execute(update(Job).values(priority=1))


def test_each_kind_of_work_is_seen_and_wakes_its_chore(each_loop: Loop, watcher: Watcher) -> None:
    loop = each_loop
    assert watcher.look().names == frozenset()
    loop.ask(loop.task(1))
    assert watcher.look().names == {due.JOBS} and watcher.wakes[due.JOBS].is_set()
    loop.worker.drain()
    assert watcher.look().names == {due.OUTBOX}
    loop.outbox.send_due()
    with loop.database.write() as session:
        events.store(session, b"{}", action="X", project_id=1)
        calibrations.request(session, looks=LOOKS, base="b", project_id=None, requested_by="")
        calibrations.request(session, looks="another model's", base="b", project_id=None, requested_by="")
    assert watcher.look().names == {due.EVENTS, due.CALIBRATE}
    with loop.database.write() as session:
        assert events.take(session, "r", seconds=60, limit=9)
        assert calibrations.lease(session, "c", looks=LOOKS, seconds=60)
        session.execute(update(TaskState).values(people=2, said="1,2"))
        session.add(Annotation(ls_annotation_id=1, version=1, digest="d" * 64))
    watcher._seldom_at = 0.0
    assert watcher.look().names == {due.COMPARE, due.READ_AGAIN}
    assert watcher.look().names == frozenset(), "these are asked seldom"
    loop.make_due()  # as if the reader were gone
    assert due.EVENTS in watcher.look().names


def test_jobs_of_other_versions_and_postponed_ones_are_no_work(loop: Loop) -> None:
    watcher = Watcher(loop.database, threading.Event(), poll_s=1, looks=LOOKS, versions=loop.worker.versions)
    watcher.wakes = {due.JOBS: threading.Event()}
    loop.ask(loop.task(1))
    with loop.database.write() as session:
        session.execute(update(Job).values(model_version="other@1/0"))
    assert watcher.look().names == frozenset()
    with loop.database.write() as session:
        session.execute(update(Job).values(model_version=""))  # any worker's
    assert watcher.look().names == {due.JOBS}
    watcher.close()


def test_versions_are_asked_anew_when_a_calibration_was_adopted(loop: Loop) -> None:
    asked: list[int] = []

    def versions(session: Any) -> list[str]:
        asked.append(1)
        return ["m", "m2"]

    watcher = Watcher(loop.database, threading.Event(), poll_s=1, looks=LOOKS, versions=versions)
    for _ in range(4):
        watcher.look()
    known = len(asked)
    with loop.database.write() as session:
        session.add(Calibration(base="b", looks=LOOKS, model_version="m2", state="adopted"))
    for _ in range(4):
        watcher.look()
    assert len(asked) == known + 1
    watcher.close()


def test_pauses_grow_while_there_is_nothing_to_do(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    stop = threading.Event()
    watcher = Watcher(loop.database, stop, poll_s=0.1, looks=LOOKS, versions=loop.worker.versions)
    watcher.wakes = {due.JOBS: threading.Event()}
    pauses: list[float] = []
    rests: list[int] = []
    monkeypatch.setattr(loop.database, "close_idle", lambda: rests.append(len(pauses)))

    class Again(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            pauses.append(timeout)
            if len(pauses) == 10:
                loop.ask(loop.task(1))
            if len(pauses) == 11:
                stop.set()
            return False

    watcher._again = Again()
    watcher._run()
    assert pauses[0] < pauses[1] < pauses[2] and pauses[9] == IDLE_S and pauses[10] == 0.1
    assert watcher.wakes[due.JOBS].is_set()
    assert rests == [pauses.index(IDLE_S)], "once, when it has become quiet"


def test_an_idle_worker_keeps_only_the_connection_that_looks(postgres_url: str) -> None:
    database = Database(postgres_url, connections=5)
    watcher = Watcher(database, threading.Event(), poll_s=1, looks=LOOKS, versions=lambda session: ["m"])
    watcher.look()
    with database.read() as first, database.read() as second:
        first.execute(text("SELECT 1")), second.execute(text("SELECT 1"))
    mine = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    other = Database(postgres_url)
    with other.read() as outside:
        before = outside.scalar(text(mine))
        database.close_idle()
        while outside.scalar(text(mine)) != before - 2:
            outside.rollback()
    assert watcher.look().names == frozenset(), "the one that looks is still open"
    watcher.close()
    database.close()
    other.close()


def test_a_running_worker_answers_delivers_and_ends(each_loop: Loop, database_url: str, tmp_path: Path) -> None:
    loop = each_loop
    version = loop.engine.model_version
    settings = Settings(database_url=database_url, data_dir=tmp_path / "data", document_root=loop.videos)
    process = open_worker(settings, engine=FakeEngine(version), label_studio=loop.client)
    thread = threading.Thread(target=process.run)
    thread.start()
    try:
        for number in (1, 2):
            loop.ask(loop.task(number, f"box {number}"))
            until = time.monotonic() + 300
            while not loop.label_studio.of_task(number):
                assert time.monotonic() < until and thread.is_alive()
                time.sleep(0.01)
    finally:
        process.stop()
        thread.join(60)
    assert not thread.is_alive() and not any(one._thread.is_alive() for one in process.chores)
