"""Somebody asks for what a worker holds for its next turn."""

from __future__ import annotations

from backend.db.tables import Job
from backend.jobs.answers import URGENT
from tests.jobs.conftest import Loop
from tests.jobs.test_ahead import VIDEOS, ask, during, ready, states


def test_what_was_leased_ahead_and_becomes_urgent_goes_before_the_rest_of_the_video_in_work(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:3], queries=3)

    def wait_for_it() -> None:
        ready(loop)
        with loop.database.write() as session:
            session.get_one(Job, 4).priority = URGENT

    during(loop, "a.mp4", wait_for_it)
    assert loop.worker.drain() == 9
    assert [name for name, _ in loop.engine.calls][:2] == ["a.mp4", "b.mp4"]
    assert states(loop) == [("done", 1)] * 9
