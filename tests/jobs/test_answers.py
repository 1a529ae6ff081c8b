"""``/predict``: one job however often it is asked, one answer however many wait for it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Semaphore, Thread
from time import monotonic

import pytest
from sqlalchemy import func, select

from backend.db import work_lists
from backend.db.tables import Delivery, Job, Prediction, Task
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import validate_prediction
from backend.review import queue
from stvg_core.errors import QueryError
from tests.db.helpers import CONFIG
from tests.jobs.conftest import Loop

CONFIG_READ = read_config(CONFIG)


def _count(loop: Loop, table: type[Job] | type[Prediction] | type[Delivery]) -> int:
    with loop.database.read() as session:
        return session.scalar(select(func.count()).select_from(table)) or 0


def test_simultaneous_calls_make_one_job_and_one_answer(each_loop: Loop) -> None:
    loop = each_loop
    tasks = loop.task(1), loop.task(2, video="b.mp4")

    def ask_together(callers: int) -> list[list[list[object]]]:
        together = Barrier(callers)

        def ask(_: int) -> list[list[object]]:
            together.wait()
            return loop.ask(*tasks)

        with ThreadPoolExecutor(callers) as pool:
            return list(pool.map(ask, range(callers)))

    assert ask_together(4) == [[[], []]] * 4
    assert _count(loop, Job) == 2
    assert loop.worker.drain() == 2
    answers = ask_together(4)
    for position in (0, 1):
        given = [answer[position] for answer in answers if answer[position]]
        assert len(given) == 1, "exactly one caller gets the prediction"
    assert _count(loop, Job) == 2 and loop.ask(*tasks) == [[], []]


def test_the_original_is_grounded_where_the_page_plays_a_copy(loop: Loop) -> None:
    original = "/data/local-files/?d=a.mp4"
    played = "copies/a-h264-0123456789ab.mp4"
    task = loop.task(1, video=played, stvg_original=original)
    loop.ask(task)
    assert loop.worker.drain() == 1
    assert loop.engine.calls == [("a.mp4", "the red box")]
    [[body]] = loop.ask(task)
    assert body["result"]
    with loop.database.read() as session:
        [stored] = session.scalars(select(Task))
        assert stored.video_ref == original and stored.data["video"].endswith(played)
    # An answer from before the copy was made still answers: the video is the same.
    assert loop.ask(loop.task(2, video="a.mp4")) != []
    loop.worker.drain()
    assert len(loop.engine.calls) == 1


def test_an_answer_is_what_label_studio_stores_correctly(loop: Loop) -> None:
    task = loop.task(1)
    loop.ask(task)
    loop.worker.drain()
    [[body]] = loop.ask(task)
    validate_prediction({"task": 1, **body}, CONFIG_READ)
    assert body["model_version"] == "fake@1/0" and body["score"] == 0.75
    assert body["result"][0]["id"].startswith("tube-") and body["result"][0]["value"]["framesCount"] == 50
    (line,) = (one["value"]["text"] for one in body["result"] if one["type"] == "textarea")
    assert line == ["Counts as the answer while it is a Target."], "in the region list"


def test_two_tasks_with_one_video_and_sentence_share_a_prediction(loop: Loop) -> None:
    loop.ask(loop.task(1), loop.task(2, "The  red box ".strip().replace("The", "the")))
    assert loop.worker.drain() == 2
    assert len(loop.engine.calls) == 1 and _count(loop, Prediction) == 1 and _count(loop, Delivery) == 2


def test_a_task_with_bad_data_fails_at_once_and_harms_no_other(loop: Loop) -> None:
    tasks = [loop.task(1, ""), loop.task(2, "x" * 5000), loop.task(3, video="b.mp4"), loop.task(4, fps=25)]
    tasks[3].data.pop("video")
    assert loop.ask(*tasks) == [[], [], [], []]
    states = [(loop.job(n).state, loop.job(n).reason) for n in (1, 2, 3, 4)]
    assert [state for state, _ in states] == ["failed", "failed", "queued", "failed"]
    assert "empty" in str(states[0][1]) and "5000" in str(states[1][1]) and '"video"' in str(states[3][1])
    assert loop.ask(*tasks) == [[], [], [], []] and _count(loop, Job) == 4


def test_another_sentence_is_another_job(loop: Loop) -> None:
    loop.ask(loop.task(1, "the red box"))
    loop.ask(loop.task(1, "the blue box"))
    assert _count(loop, Job) == 2 and loop.worker.drain() == 2 and _count(loop, Prediction) == 2


def test_without_its_frame_rate_a_task_is_left_to_the_push(loop: Loop) -> None:
    task = loop.task(1, fps=None)
    loop.ask(task)
    loop.worker.drain()
    assert loop.ask(task) == [[]]
    loop.answers.pushes = False
    assert loop.ask(task) != [[]]


def test_a_question_from_the_page_is_urgent_and_waits_for_its_tube(each_loop: Loop) -> None:
    loop = each_loop
    task = loop.task(1)
    loop.ask(task)

    def work() -> None:
        while _count(loop, Job) < 2:  # until the question from the page is there too
            loop.worker.stop.wait(0.02)
        loop.worker.drain()

    working = Thread(target=work)
    working.start()
    body = loop.answers.for_question(1, CONFIG_READ, task, " the man in  blue ")
    working.join()
    assert body["result"] and body["model_version"] == "fake@1/0"
    assert [query for _, query in loop.engine.calls] == ["the man in blue", "the red box"], "the urgent one went first"
    assert _count(loop, Delivery) == 1, "an answer given in the reply is not pushed as well"
    assert loop.answers.for_question(1, CONFIG_READ, task, "the man in blue") == body, "the second time at once"


def test_a_question_without_a_worker_ends_empty_in_time(loop: Loop) -> None:
    loop.answers.wait_s = 0.3
    began = monotonic()
    body = loop.answers.for_question(1, CONFIG_READ, loop.task(1), "the man in blue")
    assert body == {"result": [], "score": 0.0, "model_version": "fake@1/0"} and monotonic() - began >= 0.3
    loop.answers.waiters = Semaphore(0)  # all places are taken: no waiting at all
    loop.answers.wait_s = 10**6  # who waits at all never comes back
    assert loop.answers.for_question(1, CONFIG_READ, loop.task(1), "another")["result"] == []


def test_a_question_whose_job_fails_ends_at_once_and_can_be_asked_again(loop: Loop) -> None:
    task = loop.task(1, video="bad.mp4")
    loop.answers.wait_s = 0
    loop.answers.for_question(1, CONFIG_READ, task, "the man in blue")
    loop.worker.drain()
    assert loop.job().state == "failed"
    loop.answers.for_question(1, CONFIG_READ, task, "the man in blue")
    assert loop.job().state == "queued" and loop.job().attempts == 0
    with pytest.raises(QueryError):
        loop.answers.for_question(1, CONFIG_READ, task, "  ")


def test_the_task_itself_is_owed_what_was_first_only_a_question(loop: Loop) -> None:
    task = loop.task(1, "the red box")
    loop.answers.wait_s = 0
    loop.answers.for_question(1, CONFIG_READ, task, "the red box")
    loop.ask(task)
    assert _count(loop, Job) == 1 and loop.worker.drain() == 1 and _count(loop, Delivery) == 1


def test_a_cancelled_question_is_asked_again_by_the_next_person(loop: Loop) -> None:
    task = loop.task(1)
    loop.answers.wait_s = 0
    loop.answers.for_question(1, CONFIG_READ, task, "the man in blue")
    work_lists.cancel_jobs(loop.database, work_lists.Chosen())
    assert loop.job().state == "cancelled"
    loop.answers.wait_s = 10**6
    with loop.database.read() as session:
        waiting = loop.answers._wait(session.get_one(Job, 1).id)
    assert waiting is None, "nobody waits for a job that was cancelled"
    loop.answers.wait_s = 0
    loop.answers.for_question(1, CONFIG_READ, task, "the man in blue")
    assert loop.job().state == "queued"


def test_a_task_whose_job_was_cancelled_does_not_look_as_if_it_waited(loop: Loop) -> None:
    loop.ask(loop.task(1))
    work_lists.cancel_jobs(loop.database, work_lists.Chosen())
    with loop.database.read() as session:
        row = queue.row_of(session, 1)
    assert row is not None and (row.state, row.reason) == ("failed", work_lists.CANCELLED_BY_HAND)
