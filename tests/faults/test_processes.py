"""Workers that are killed at any moment, and one that comes back too late."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import false, func, select

from backend.db.engine import Database
from backend.db.tables import Delivery, Prediction
from tests.faults.fault import fault
from tests.faults.without import no, nothing
from tests.jobs.conftest import Loop, make_loop

FAULTS = (26,)

ROOT = Path(__file__).parents[2]

KILLED = """
import json, os, signal, sys
from pathlib import Path
from backend.db import jobs
from backend.db.engine import Database
from tests.jobs.conftest import make_loop

def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)

def arrives(payload, config):
    Path(sys.argv[2], "arrived.json").write_text(json.dumps(payload))
    die()

loop = make_loop(Database(sys.argv[1]), Path(sys.argv[2]))
loop.task(1)
{moment}
loop.worker.run_once()
loop.outbox.send_due()
"""
MOMENTS = {
    "when it has taken the job": "loop.worker._work = die",
    "while the video is fetched": "loop.worker.media.fetch = die",
    "while the sentence is grounded": "loop.engine.ground = die",
    "before its answer is committed": "jobs.finish = die",
    "when a push has arrived": "loop.client.create_prediction = arrives",
}


@pytest.fixture
def loop(sqlite_database: Database, tmp_path: Path) -> Loop:
    return make_loop(sqlite_database, tmp_path)


def kill_at(moment: str, loop: Loop, url: str) -> None:
    """A worker that ends by SIGKILL at this moment; what it had pushed by then is in Label Studio."""
    command = [sys.executable, "-c", KILLED.format(moment=MOMENTS[moment]), url, str(loop.videos)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False)
    assert done.returncode == -signal.SIGKILL
    if (arrived := loop.videos / "arrived.json").exists():
        loop.label_studio.predictions.append({"id": 77, **json.loads(arrived.read_text())})


def rows(database: Database, table: type[Any]) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def nothing_left(table: Any, at: object) -> Any:
    return false()


CASES = [*(("sqlite", moment) for moment in MOMENTS), ("postgresql", "before its answer is committed")]


@pytest.mark.parametrize(("database_url", "moment"), CASES, indirect=["database_url"])
@fault(26, guard="backend.db.lease._left", without=nothing_left)
def test_after_kill_9_at_any_moment_another_worker_ends_the_work_once(
    database: Database, database_url: str, moment: str, tmp_path: Path
) -> None:
    loop = make_loop(database, tmp_path)
    loop.ask(loop.task(1))
    kill_at(moment, loop, database_url)
    assert loop.worker.drain() == 0 and loop.outbox.send_due() == 0, "its leases are not over yet"
    loop.make_due()
    loop.worker.drain()
    loop.outbox.send_due()
    job = loop.job()
    assert (job.state, job.attempts, job.deaths) == ("done", 1, 0), "a death is no failed try"
    with database.read() as session:
        assert session.scalars(select(Delivery.state)).all() == ["delivered"]
    assert rows(database, Prediction) == 1 and len(loop.label_studio.of_task(1)) == 1


@fault(26, guard="backend.jobs.delivering.is_same", without=no)
def test_what_a_killed_worker_had_pushed_is_not_pushed_again(loop: Loop, sqlite_url: str) -> None:
    loop.ask(loop.task(1))
    kill_at("when a push has arrived", loop, sqlite_url)
    loop.make_due()
    assert loop.outbox.send_due() == 1 and len(loop.label_studio.of_task(1)) == 1


def held_by_anybody(table: Any, number: int, lease_name: str) -> Any:
    return table.id == number


@fault(26, guard="backend.db.lease._held", without=held_by_anybody)
def test_a_worker_that_comes_back_after_its_lease_stores_nothing(
    loop: Loop, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stalls past its lease; another finishes first; the late answer is dropped."""
    loop.ask(loop.task(1))
    monkeypatch.setattr("backend.jobs.lease.LeaseKeeper._renew", nothing)
    other, ground, ended = make_loop(sqlite_database, loop.videos), loop.engine.ground, list[str]()
    loop.worker.ended = ended.append

    def stall(path: Path, query: str, progress: Any) -> Any:
        loop.make_due()
        assert other.worker.run_once()
        return ground(path, query, progress)

    loop.engine.ground = stall  # type: ignore[method-assign]
    assert loop.worker.run_once()
    assert ended == ["lost"]
    job = loop.job()
    assert job.state == "done" and (job.attempts, job.deaths) == (1, 0)
    assert rows(sqlite_database, Prediction) == rows(sqlite_database, Delivery) == 1
