"""A whole project in one ``/predict``: the same rows and answers as one task at a time, in few statements."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.db import projects
from backend.db.engine import TURN, Database
from backend.db.tables import Delivery, Job, Prediction, Task, TaskState
from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import TaskPayload
from tests.db.helpers import CONFIG, becomes, statements
from tests.jobs.conftest import Loop

CONFIG_READ = read_config(CONFIG)


def payload(number: int, **data: Any) -> TaskPayload:
    """Every seventh has no sentence, every eleventh no video."""
    query = "" if number % 7 == 0 else f"the red box {number}"
    stored = {"video": "/data/local-files/?d=a.mp4", "query": query, "fps": 25, **data}
    return TaskPayload(number, stored | ({"video": ""} if number % 11 == 0 else {}))


def rows_of(database: Database, project: int) -> dict[int, tuple[Any, ...]]:
    """What is stored about a project's tasks, without row numbers and moments."""
    query = (
        select(
            Task.ls_task_id, Task.video_ref, Task.query, Task.data, Task.video_id, Job.video_ref, Job.query,
            Job.model_version, Job.deliver, Job.priority, Job.state, Job.reason, Job.prompt, TaskState.state,
            TaskState.job_id == Job.id,
        )
        .join(Job, Job.task_id == Task.id)
        .join(TaskState, TaskState.task_id == Task.id)
        .where(Task.project_id == project)
    )  # fmt: skip
    with database.read() as session:
        return {row.ls_task_id: tuple(row) for row in session.execute(query)}


def test_5000_tasks_in_one_call_make_the_same_rows_as_one_by_one(loop: Loop) -> None:
    with loop.database.write() as session:
        projects.register(session, 2, CONFIG)
    numbers = range(1, 5001)
    assert loop.answers.for_tasks(1, CONFIG_READ, [payload(number) for number in numbers]) == [[]] * 5000
    some = numbers[::50]
    for number in some:
        assert loop.answers.for_tasks(2, CONFIG_READ, [payload(number)]) == [[]]
    together, alone = rows_of(loop.database, 1), rows_of(loop.database, 2)
    assert len(together) == 5000 and {number: together[number] for number in some} == alone
    assert {row[10] for row in alone.values()} == {"queued", "failed"}
    with loop.database.read() as session:
        order = session.scalars(select(Task.ls_task_id).join(Job, Job.task_id == Task.id).order_by(Job.id).limit(5000))
        assert list(order) == list(numbers), "they are grounded in the order in which they were asked for"


def _known(loop: Loop, size: int) -> list[TaskPayload]:
    """Tasks with a prediction, all of one video and sentence; asked for long ago."""
    asked = [loop.task(number) for number in range(1, size + 1)]
    loop.ask(*asked)
    assert loop.worker.run_once()
    with loop.database.write() as session:
        session.query(Task).update({Task.video_id: session.scalar(select(Prediction.video_id))})
    return asked


@pytest.mark.parametrize("size", [5, TURN, 3 * TURN])
def test_the_statements_for_a_project_are_few(each_loop: Loop, size: int) -> None:
    asked, turns = _known(each_loop, size), max(1, size // TURN)
    with statements(each_loop.database) as seen:
        assert sum(map(len, each_loop.ask(*asked))) == size
    written = [line for line in seen if not line.startswith("SELECT")]
    assert len(written) <= turns + 1 and len(seen) <= 9 * turns
    with statements(each_loop.database) as seen:
        assert each_loop.ask(*asked) == [[]] * size
    assert all(line.startswith("SELECT") for line in seen) and len(seen) <= 6 * turns


def test_callers_with_a_project_in_another_order_get_each_prediction_once(each_loop: Loop) -> None:
    asked, together = _known(each_loop, 250), Barrier(4)

    def ask(order: int) -> set[int]:
        together.wait()
        answers = each_loop.ask(*asked[::order])
        return {task.id for task, found in zip(asked[::order], answers, strict=True) if found}

    with ThreadPoolExecutor(4) as pool:
        given = list(pool.map(ask, (1, -1, 1, -1)))
    assert sorted(number for some in given for number in some) == [task.id for task in asked]
    with each_loop.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 250


def test_one_call_with_a_task_of_each_kind(loop: Loop) -> None:
    known = [loop.task(1), loop.task(2, fps=None), loop.task(3)]
    loop.ask(*known)
    loop.worker.drain()
    assert loop.ask(known[2]) != [[]]
    red, blue, new = known[0], loop.task(1, "the blue box"), loop.task(4, video="b.mp4")
    answers = loop.ask(new, blue, known[1], known[2], loop.task(5, ""), red, blue, red)
    assert [len(found) for found in answers] == [0, 0, 0, 0, 0, 1, 0, 0], "as if each had been asked for alone"
    with loop.database.read() as session:
        query = select(Task.ls_task_id, Job.query, Job.state).join(Job, Job.task_id == Task.id).order_by(Job.id)
        assert [tuple(row) for row in session.execute(query)][3:] == [
            (1, "the blue box", "queued"), (4, "the red box", "queued"), (5, "", "failed"),
        ]  # fmt: skip
    assert loop.worker.drain() == 2 and loop.ask(blue, new)[1] and loop.ask(blue) == [[]]


def test_an_answered_question_is_owed_to_a_task_whose_video_is_not_known(loop: Loop) -> None:
    """The worker ended the job between two looks: the task's row does not name the video yet."""
    task = loop.task(1)
    loop.answers.wait_s = 0
    loop.answers.for_question(1, CONFIG_READ, task, "the red box")
    loop.worker.drain()
    with loop.database.write() as session:
        session.query(Task).update({Task.video_id: None})
        becomes(session, session.scalars(select(Job)).one())
        assert session.scalar(select(func.count()).select_from(Delivery)) == 0
    for _ in range(2):
        assert loop.ask(task) == [[]]
        with loop.database.read() as session:
            assert session.scalars(select(Delivery.state)).all() == ["pending"]
            assert session.scalars(select(Job.deliver)).one()
