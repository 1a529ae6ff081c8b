"""What a worker holds for its next turn: somebody waits for it, or it is given up when its turn has come."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from backend.db import work_lists
from backend.db.tables import Job
from backend.jobs.answers import URGENT
from tests.jobs.conftest import Loop
from tests.jobs.test_ahead import VIDEOS, ask, during, fetching, ready, states


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


@pytest.mark.parametrize("stopped", [True, False])
def test_a_fetch_that_was_begun_ahead_ends_with_its_turn(loop: Loop, stopped: bool) -> None:
    """The worker is stopped, or the job cancelled, while the fetch still goes on."""
    ask(loop, *VIDEOS[:3])
    begun = threading.Event()

    def endless(name: str, alive: Callable[[], None]) -> None:
        while name == "b.mp4":
            begun.set()
            alive()

    fetching(loop, endless)
    during(loop, "a.mp4", begun.wait)
    progress = loop.worker._progress

    def given_up(keeper: Any, job: Any, share: float, stage: str) -> None:
        if job.id == 2 and stopped:
            loop.worker.stop.set()
        elif job.id == 2:
            work_lists.cancel_jobs(loop.database, work_lists.Chosen(ids=(2,)))
            keeper._lost = True  # as the next renewal would find
        progress(keeper, job, share, stage)

    loop.worker._progress = given_up  # type: ignore[method-assign]
    loop.worker.drain()
    for thread in threading.enumerate():
        if thread.name == "ahead":
            thread.join(30.0)
    assert [thread for thread in threading.enumerate() if thread.name == "ahead"] == []
    ends = [("queued", 0), ("queued", 0)] if stopped else [("cancelled", 1), ("done", 1)]
    assert states(loop) == [("done", 1), *ends]
