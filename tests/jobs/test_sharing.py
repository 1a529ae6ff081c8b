"""Several sentences about one video: answered together, each with an end of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from backend.db import jobs, work_lists
from backend.db.tables import Job
from backend.db.types import now
from backend.jobs.answers import URGENT
from backend.jobs.engine import Progress
from tests.jobs.conftest import Loop, make_loop

QUERIES = ("the red box", "the blue box", "the green box")


def _asked(loop: Loop, *queries: str, video: str = "a.mp4") -> None:
    loop.ask(*(loop.task(number, query, video=video) for number, query in enumerate(queries, 1)))


def _states(loop: Loop) -> list[tuple[str, int]]:
    with loop.database.read() as session:
        return [(job.state, job.attempts) for job in session.scalars(select(Job).order_by(Job.id))]


def _while_answering(loop: Loop, query: str, act: Callable[[], Any]) -> None:
    """Do something while this sentence is in work, after its first report of progress."""
    ground = loop.engine.ground

    def acting(path: Path, asked: str, progress: Progress) -> Any:
        if asked == query:
            progress(0.1, "ground")
            act()
        return ground(path, asked, progress)

    loop.engine.ground = acting  # type: ignore[method-assign]


def test_sentences_about_one_video_share_one_fetch_and_one_opening(each_loop: Loop) -> None:
    loop = each_loop
    _asked(loop, *QUERIES)
    fetched: list[str] = []
    fetch = loop.worker.media.fetch

    def counted(ref: str, **about: Any) -> Any:
        fetched.append(ref)
        return fetch(ref, **about)

    loop.worker.media.fetch = counted  # type: ignore[method-assign]
    assert loop.worker.run_once() == 3
    assert loop.engine.shared == [3] and len(fetched) == 1
    assert _states(loop) == [("done", 1)] * 3
    assert loop.outbox.send_due() == 3 and [len(loop.label_studio.of_task(n)) for n in (1, 2, 3)] == [1, 1, 1]


def test_no_more_sentences_are_taken_than_allowed_and_none_of_another_video(loop: Loop) -> None:
    _asked(loop, *QUERIES, "the fourth box")
    loop.ask(loop.task(5, video="b.mp4"))
    loop.worker.shared = 3
    assert [loop.worker.run_once() for _ in range(4)] == [3, 1, 1, 0]
    loop.ask(*(loop.task(number, f"box {number}") for number in (6, 7)))
    loop.worker.shared = 1
    assert [loop.worker.run_once() for _ in range(3)] == [1, 1, 0]


def test_an_error_is_that_one_sentence_s(loop: Loop) -> None:
    _asked(loop, QUERIES[0], "crash please", QUERIES[2])
    assert loop.worker.run_once() == 3
    assert [state for state, _ in _states(loop)] == ["done", "failed", "done"] and loop.engine.shared == [3]


def test_a_video_that_cannot_be_read_fails_each_and_one_out_of_reach_is_fetched_once(loop: Loop) -> None:
    _asked(loop, *QUERIES, video="bad.mp4")
    assert loop.worker.run_once() == 3
    assert {loop.job(number).reason for number in (1, 2, 3)} == {"bad.mp4 is not a video."}
    with loop.database.write() as session:
        session.execute(update(Job).values(state="queued", video_ref="/data/upload/1/away.mp4", video_key="away"))
    assert loop.worker.run_once() == 3
    assert {loop.job(number).state for number in (1, 2, 3)} == {"queued"} and "503" in str(loop.job(3).reason)


def test_the_same_sentence_for_two_tasks_is_asked_once(loop: Loop) -> None:
    _asked(loop, QUERIES[0], QUERIES[0], QUERIES[1])
    assert loop.worker.run_once() == 3 and _states(loop) == [("done", 1)] * 3
    assert [query for _, query in loop.engine.calls] == [QUERIES[0], QUERIES[1]]


def test_a_stop_stores_what_is_finished_and_puts_the_rest_back(each_loop: Loop) -> None:
    loop = each_loop
    _asked(loop, *QUERIES)
    _while_answering(loop, QUERIES[1], loop.worker.stop.set)
    loop.worker.run_once()
    assert _states(loop) == [("done", 1), ("queued", 0), ("queued", 0)]


def test_an_urgent_question_waits_for_one_sentence_at_most(loop: Loop) -> None:
    _asked(loop, *QUERIES)

    def urgent() -> None:
        loop.ask(loop.task(4, "what somebody waits for", video="b.mp4"))
        with loop.database.write() as session:
            session.get_one(Job, 4).priority = URGENT

    _while_answering(loop, QUERIES[0], urgent)
    assert loop.worker.run_once() == 1 and _states(loop) == [("done", 1), ("queued", 0), ("queued", 0), ("queued", 0)]
    assert loop.worker.run_once() == 1 and loop.job(4).state == "done"
    assert loop.worker.run_once() == 2


def test_cancelled_jobs_in_work_and_in_line_store_nothing(loop: Loop) -> None:
    _asked(loop, *QUERIES)

    def cancel() -> None:
        assert work_lists.cancel_jobs(loop.database, work_lists.Chosen(ids=(1, 2))) == 2

    _while_answering(loop, QUERIES[0], cancel)
    loop.worker.run_once()
    assert [state for state, _ in _states(loop)] == ["cancelled", "cancelled", "done"]
    assert loop.job(1).prediction_id is None and loop.job(1).reason == work_lists.CANCELLED_BY_HAND


def test_leases_in_line_are_renewed_with_that_in_work(each_loop: Loop) -> None:
    """The others' leases too are renewed while the first is answered; another worker gets none of them."""
    loop = each_loop
    _asked(loop, *QUERIES)
    other = make_loop(loop.database, loop.videos)
    loop.worker.lease_s = 600

    def work_on() -> None:
        for number in (2, 3):
            first = loop.job(number).lease_until
            while loop.job(number).lease_until == first:
                pass
        assert other.worker.run_once() == 0

    _while_answering(loop, QUERIES[0], work_on)
    assert loop.worker.run_once() == 3 and _states(loop) == [("done", 1)] * 3 and other.engine.calls == []


def test_who_only_waited_in_line_is_not_given_up_for_the_one_that_kills(each_loop: Loop) -> None:
    loop = each_loop
    _asked(loop, *QUERIES)
    for _ in range(4):
        with loop.database.write() as session:
            first = jobs.lease(session, "w", seconds=60, max_deaths=3)
            assert first is not None
            jobs.lease_more(session, "w", first, seconds=60, most=7)
        loop.make_due()
    with loop.database.write() as session:
        last = jobs.lease(session, "w", seconds=60, max_deaths=3)
        assert last is not None and last.id == 2
    assert loop.job(1).state == "failed" and "3 workers in a row" in str(loop.job(1).reason)
    assert loop.job(3).deaths == 0


def test_a_job_that_may_have_killed_its_worker_is_done_alone(loop: Loop) -> None:
    _asked(loop, *QUERIES)
    with loop.database.write() as session:
        assert jobs.lease(session, "w", seconds=60) is not None
    loop.make_due()
    assert [loop.worker.run_once(), loop.worker.run_once()] == [1, 2] and loop.engine.shared == [2]


def test_workers_of_two_versions_share_a_queue_during_an_upgrade(each_loop: Loop) -> None:
    loop = each_loop
    _asked(loop, *QUERIES)
    newer = make_loop(loop.database, loop.videos)
    newer.engine.model_version = newer.answers.model_version = "fake@2/0"
    loop.answers.model_version = "fake@2/0"
    loop.ask(loop.task(4, "asked of the new version"))
    assert newer.worker.drain() == 1 and loop.worker.drain() == 3
    with loop.database.read() as session:
        rows = session.execute(select(Job.state, Job.model_version, Job.attempts).order_by(Job.id)).tuples().all()
    assert rows == [("done", "fake@1/0", 1)] * 3 + [("done", "fake@2/0", 1)]


@pytest.mark.parametrize("heard", [False, True])
def test_versions_that_nobody_works_on_are_known(loop: Loop, heard: bool) -> None:
    if heard:
        loop.ask(loop.task(9, "done before"))
        loop.worker.drain()
    before = now()
    _asked(loop, *QUERIES)
    with loop.database.read() as session:
        [one] = work_lists.versions(session)
    assert (one.name, one.queued, one.held) == ("fake@1/0", 3, 0)
    assert one.heard is None if not heard else one.heard is not None and one.heard <= before
