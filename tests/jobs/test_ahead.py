"""The next video is leased, fetched and opened while a worker grounds another; nobody loses anything by it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.db import jobs, work_lists
from backend.db.tables import Job
from backend.db.types import now
from backend.jobs.answers import URGENT
from backend.jobs.engine import Progress
from backend.jobs.sharing import Line
from backend.jobs.stopping import _put_back
from backend.media import MediaUnavailable
from stvg_core.errors import VideoError
from tests.jobs.conftest import Loop, make_loop

VIDEOS = ("a.mp4", "b.mp4", "c.mp4", "d.mp4")


def ask(loop: Loop, *videos: str, queries: int = 1) -> None:
    """So many questions about each of the videos, in this order."""
    loop.worker.ahead = 1
    number = 0
    for video in videos:
        path = loop.videos / video
        if not path.exists():
            path.write_bytes(video.encode())
        for nth in range(queries):
            number += 1
            loop.ask(loop.task(number, f"box {nth}", video=video))


def states(loop: Loop) -> list[tuple[str, int]]:
    with loop.database.read() as session:
        return [(job.state, job.attempts) for job in session.scalars(select(Job).order_by(Job.id))]


def during(loop: Loop, video: str, act: Callable[[], Any]) -> None:
    """Do something once while this video is grounded: after its first progress, so that the worker looks ahead."""
    ground, once = loop.engine.ground, [act]

    def acting(path: Path, query: str, progress: Progress) -> Any:
        progress(0.1, "ground")
        if path.name == video and once:
            once.pop()()
        return ground(path, query, progress)

    loop.engine.ground = acting  # type: ignore[method-assign]


def ready(loop: Loop) -> None:
    """Wait until the worker has done all that it does for the next video."""
    following = loop.worker._next
    assert following is not None
    following._thread.join()


def fetching(loop: Loop, act: Callable[[str, Callable[[], None]], None]) -> list[str]:
    """Do something before each fetch; lists what is fetched."""
    fetch, fetched = loop.worker.media.fetch, list[str]()

    def acting(ref: str, **about: Any) -> Any:
        fetched.append(ref.rpartition("=")[2])
        act(fetched[-1], about["alive"])
        return fetch(ref, **about)

    loop.worker.media.fetch = acting  # type: ignore[method-assign]
    return fetched


def test_the_next_video_is_fetched_and_opened_while_one_is_grounded(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:3], queries=2)
    fetched = fetching(loop, lambda name, alive: None)
    seen: list[Any] = []

    def look() -> None:
        ready(loop)
        seen.append((list(fetched), list(loop.engine.prepared), [loop.job(n).stage for n in (3, 4)], states(loop)))

    during(loop, "a.mp4", look)
    assert loop.worker.run_once() == 2
    running, queued = ("running", 1), ("queued", 0)
    assert seen == [(["a.mp4", "b.mp4"], ["b.mp4"], ["in line"] * 2, [running] * 4 + [queued] * 2)]
    assert loop.worker.drain() == 4
    assert states(loop) == [("done", 1)] * 6 and fetched == list(VIDEOS[:3])
    assert loop.engine.prepared == ["b.mp4"]  # the last video is left to a worker that has nothing
    assert [name for name, _ in loop.engine.calls] == ["a.mp4"] * 2 + ["b.mp4"] * 2 + ["c.mp4"] * 2


def test_nothing_is_held_ahead_where_it_is_turned_off(loop: Loop) -> None:
    ask(loop, *VIDEOS)
    loop.worker.ahead = 0
    assert loop.worker.drain() == 4 and loop.engine.prepared == []


def test_the_last_video_is_left_to_another_worker(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:2])
    other = make_loop(loop.database, loop.videos)

    def work_too() -> None:
        ready(loop)
        assert other.worker.run_once() == 1

    during(loop, "a.mp4", work_too)
    assert loop.worker.drain() == 1 and states(loop) == [("done", 1)] * 2


def test_more_sentences_about_the_video_in_work_are_leased_but_it_is_not_opened_again(loop: Loop) -> None:
    ask(loop, *VIDEOS[:2], queries=3)
    loop.worker.shared = 2
    during(loop, "a.mp4", lambda: ready(loop))
    assert loop.worker.drain() == 6 and loop.engine.prepared == []


def test_an_urgent_question_goes_before_what_was_leased_ahead(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:3])

    def urgent() -> None:
        ready(loop)
        loop.ask(loop.task(9, "what somebody waits for", video="d.mp4"))
        (loop.videos / "d.mp4").write_bytes(b"d")
        with loop.database.write() as session:
            session.get_one(Job, 4).priority = URGENT

    during(loop, "a.mp4", urgent)
    assert loop.worker.drain() == 4
    assert [name for name, _ in loop.engine.calls] == ["a.mp4", "d.mp4", "b.mp4", "c.mp4"]
    assert states(loop) == [("done", 1)] * 4


def test_what_somebody_waits_for_is_not_leased_ahead(loop: Loop) -> None:
    ask(loop, *VIDEOS[:3])
    with loop.database.write() as session:
        session.execute(update(Job).where(Job.id > 1).values(priority=URGENT - 1))
        session.get_one(Job, 1).priority = URGENT
    during(loop, "a.mp4", lambda: ready(loop))
    loop.worker.run_once()
    assert states(loop) == [("done", 1), ("queued", 0), ("queued", 0)]


def test_what_a_dead_worker_left_is_taken_before_more_is_leased_ahead(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS)
    with loop.database.write() as session:
        last = session.get_one(Job, 4)
        last.priority = 1
        assert jobs.lease(session, "gone", seconds=60) is last
        last.priority = 0

    def run_out(name: str, alive: Callable[[], None]) -> None:
        if name == "a.mp4":
            with loop.database.write() as session:
                session.get_one(Job, 4).lease_until = now() - timedelta(seconds=1)

    fetching(loop, run_out)
    during(loop, "a.mp4", lambda: ready(loop))
    assert loop.worker.drain() == 4
    assert [name for name, _ in loop.engine.calls] == ["a.mp4", "d.mp4", "b.mp4", "c.mp4"]


@pytest.mark.parametrize("noticed", [False, True])
def test_cancelled_jobs_are_not_grounded_and_the_others_are(each_loop: Loop, noticed: bool) -> None:
    """Whether or not a renewal of the leases has met it before their turn."""
    loop = each_loop
    ask(loop, *VIDEOS[:3], queries=2)

    def cancel() -> None:
        ready(loop)
        work_lists.cancel_jobs(loop.database, work_lists.Chosen(ids=(3, 5, 6)))
        if noticed:
            with loop.database.write() as session:
                loop.worker._renew(Line(loop.database, [], seconds=5), session)

    during(loop, "a.mp4", cancel)
    assert loop.worker.drain() == 3
    assert [state for state, _ in states(loop)] == ["done", "done", "cancelled", "done", "cancelled", "cancelled"]
    assert [name for name, _ in loop.engine.calls] == ["a.mp4", "a.mp4", "b.mp4"]


def test_when_all_that_was_held_is_cancelled_the_work_goes_on(loop: Loop) -> None:
    ask(loop, *VIDEOS[:3])

    def cancel() -> None:
        ready(loop)
        work_lists.cancel_jobs(loop.database, work_lists.Chosen(ids=(2,)))

    during(loop, "a.mp4", cancel)
    assert loop.worker.drain() == 2
    assert [state for state, _ in states(loop)] == ["done", "cancelled", "done"]


def test_leases_ahead_are_renewed_while_the_work_moves(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:3])
    other = make_loop(loop.database, loop.videos)
    loop.worker.lease_s = 600

    def work_on() -> None:
        ready(loop)
        first = loop.job(2).lease_until
        while loop.job(2).lease_until == first:
            pass
        assert other.worker.drain() == 1  # the third

    during(loop, "a.mp4", work_on)
    assert loop.worker.drain() == 2 and states(loop) == [("done", 1)] * 3


def test_a_video_that_another_worker_got_meanwhile_is_left_to_it(loop: Loop) -> None:
    ask(loop, *VIDEOS[:3])
    other = make_loop(loop.database, loop.videos)

    def late() -> None:
        ready(loop)
        loop.make_due()  # as if the work had stalled
        with loop.database.write() as session:
            session.execute(update(Job).where(Job.id == 1).values(lease_until=None))
        assert other.worker.drain() == 2

    loop.worker._renew = lambda line, session: None  # type: ignore[method-assign]  # none comes in between
    during(loop, "a.mp4", late)
    loop.worker.drain()
    assert len(other.engine.calls) == 2 and [name for name, _ in loop.engine.calls] == ["a.mp4"]


@pytest.mark.parametrize("ahead", [0, 1])
@pytest.mark.parametrize(
    ("error", "ends"),
    [(VideoError("It is no video."), ("failed", 1)), (MediaUnavailable("Nobody answers."), ("queued", 1)),
     (RuntimeError("a defect"), ("failed", 1))],
)  # fmt: skip
def test_a_failed_fetch_is_that_job_s_and_counted_once(
    loop: Loop, ahead: int, error: Exception, ends: tuple[str, int]
) -> None:
    """The same end with the same reason, whether it was fetched ahead or not."""
    ask(loop, *VIDEOS[:3])
    loop.worker.ahead = ahead

    def fail(name: str, alive: Callable[[], None]) -> None:
        if name == "b.mp4":
            raise error

    fetched = fetching(loop, fail)
    during(loop, "a.mp4", lambda: ready(loop) if ahead else None)
    assert loop.worker.drain() == 3 and fetched == list(VIDEOS[:3])
    assert states(loop) == [("done", 1), ends, ("done", 1)]
    reason = str(loop.job(2).reason)
    assert reason.startswith("Internal error" if isinstance(error, RuntimeError) else str(error))


def test_a_file_that_cannot_be_opened_ahead_is_judged_when_its_turn_comes(loop: Loop) -> None:
    ask(loop, "a.mp4", "bad.mp4", "c.mp4")

    def prepare(path: Path, alive: Callable[[], None]) -> None:
        raise VideoError("not this way")

    loop.engine.prepare = prepare  # type: ignore[method-assign]
    during(loop, "a.mp4", lambda: ready(loop))
    loop.worker.drain()
    assert states(loop) == [("done", 1), ("failed", 1), ("done", 1)]
    assert loop.job(2).reason == "bad.mp4 is not a video."


def test_an_answer_that_is_known_is_not_prepared(loop: Loop) -> None:
    (loop.videos / "b.mp4").write_bytes(b"the same")
    (loop.videos / "e.mp4").write_bytes(b"the same")
    loop.ask(loop.task(1, "box 0", video="e.mp4"))
    loop.worker.drain()
    for number, video in enumerate(VIDEOS[:3], 2):
        (loop.videos / video).touch()
        loop.ask(loop.task(number, "box 0", video=video))
    loop.worker.ahead = 1
    during(loop, "a.mp4", lambda: ready(loop))
    loop.worker.drain()
    assert loop.engine.prepared == [] and states(loop) == [("done", 1)] * 4


def test_a_task_that_moved_meanwhile_is_fetched_anew(loop: Loop) -> None:
    ask(loop, *VIDEOS[:3])
    fetched = fetching(loop, lambda name, alive: None)

    def move() -> None:
        ready(loop)
        with loop.database.write() as session:
            session.get_one(Job, 2).task.ls_task_id = 77

    during(loop, "a.mp4", move)
    assert loop.worker.drain() == 3 and fetched == ["a.mp4", "b.mp4", "b.mp4", "c.mp4"]


def test_a_turn_that_comes_too_early_waits_for_the_fetch_and_reports_as_it_moves(loop: Loop) -> None:
    ask(loop, *VIDEOS[:3])
    begun, go_on = threading.Event(), threading.Event()
    reported: list[bool] = []

    def slow(name: str, alive: Callable[[], None]) -> None:
        if name == "b.mp4":
            alive()
            begun.set()
            while not go_on.is_set():
                alive()

    fetched = fetching(loop, slow)
    during(loop, "a.mp4", begun.wait)
    progress = loop.worker._progress

    def watched(keeper: Any, job: Job, share: float, stage: str) -> None:
        progress(keeper, job, share, stage)
        if job.id == 2 and stage == "fetch":
            reported.append(True)
            if len(reported) > 2:
                go_on.set()

    loop.worker._progress = watched  # type: ignore[method-assign]
    assert loop.worker.drain() == 3 and fetched == list(VIDEOS[:3]) and len(reported) > 2


def test_a_stop_puts_back_what_was_leased_ahead_and_ends_its_fetch(each_loop: Loop) -> None:
    loop = each_loop
    ask(loop, *VIDEOS[:3], queries=2)
    begun = threading.Event()

    def endless(name: str, alive: Callable[[], None]) -> None:
        while name == "b.mp4":
            begun.set()
            alive()

    fetching(loop, endless)

    def stop() -> None:
        begun.wait()
        loop.worker.stop.set()

    during(loop, "a.mp4", stop)
    loop.worker.run()
    assert states(loop) == [("queued", 0)] * 6
    assert [thread for thread in threading.enumerate() if thread.name == "ahead"] == []


def test_a_hard_stop_puts_back_all_that_is_held(each_loop: Loop, database_url: str) -> None:
    """The job in work, those in line behind it, and those about the next video."""
    loop = each_loop
    ask(loop, *VIDEOS[:3], queries=3)
    held: list[Any] = []

    def end_hard() -> None:
        ready(loop)
        held.extend(loop.worker.holding())
        _put_back(database_url, held)
        assert states(loop) == [("queued", 0)] * 9
        loop.worker.stop.set()

    during(loop, "a.mp4", end_hard)
    loop.worker.run()
    assert sorted(one.job_id for one in held) == [1, 2, 3, 4, 5, 6] and states(loop) == [("queued", 0)] * 9
    assert loop.worker.holding() == []
