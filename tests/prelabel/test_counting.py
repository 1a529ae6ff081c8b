"""What a run reads of the queue to know how many workers it needs, on both kinds of database."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.db import jobs, runs
from backend.db.engine import Database
from tests.jobs.conftest import Loop, make_loop

PROJECT = 1
"""That of the loop."""


@pytest.fixture
def queue(database: Database, tmp_path: Path) -> Loop:
    """Three videos: five sentences, one, one."""
    loop = make_loop(database, tmp_path)
    loop.ask(*(loop.task(number, f"thing {number}", video="a.mp4") for number in range(1, 6)))
    loop.ask(loop.task(6, video="b.mp4"), loop.task(7, video="c.mp4"))
    return loop


def test_videos_are_counted_no_further_than_needed(queue: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    version = queue.worker.engine.model_version
    with queue.database.read() as session:
        for looked_at in (50, 1):  # also where the first rows are all of one video
            monkeypatch.setattr(runs, "_SENTENCES", looked_at)
            assert [runs.videos_open(session, PROJECT, version, most=most) for most in (1, 2, 3, 9)] == [1, 2, 3, 3]
        assert runs.videos_open(session, PROJECT + 1, version, most=9) == 0
        assert runs.videos_open(session, PROJECT, "other@1/2", most=9) == 0
        assert len(runs.videos_waiting(session, PROJECT, version, most=2)) == 2


def test_who_holds_jobs_is_known_by_name(queue: Loop) -> None:
    version = queue.worker.engine.model_version
    with queue.database.write() as session:
        first = jobs.lease(session, "host:12", seconds=60)
        assert first is not None
        jobs.lease_more(session, "host:12", first, seconds=60, most=7)
        jobs.lease(session, "host:13", seconds=60)
    with queue.database.read() as session:
        assert runs.at_work(session, PROJECT) == {"host:12", "host:13"} and runs.at_work(session, PROJECT + 1) == set()
        assert runs.videos_open(session, PROJECT, version, most=9) == 3, "what is in hand is not done"
        assert len(runs.videos_waiting(session, PROJECT, version, most=9)) == 1
    queue.worker.drain()
