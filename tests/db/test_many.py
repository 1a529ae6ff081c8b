"""Many rows in few statements: the same rows as one by one, in an order in which no two callers block each other."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.orm import Session

from backend.db import deliveries, jobs, projects, tasks
from backend.db.engine import Database
from backend.db.tables import Delivery, Job, Task, TaskState
from backend.db.tasks import Given
from tests.db.helpers import CONFIG, a_prediction, statements


def given(number: int, query: str = "the red box", **more: Any) -> Given:
    return Given(number, f"/data/{number}.mp4", query, {"video": f"/data/{number}.mp4", "query": query}, **more)


def question(task: tasks.Remembered, **more: Any) -> jobs.Question:
    return jobs.Question(f"{task.id:064}", task.id, 1, task.video_ref, task.query, "m", **more)


def ask(
    session: Session, numbers: list[int], query: str = "the red box", *, project: int = 1, **more: Any
) -> dict[str, jobs.Queued]:
    known = tasks.remember_many(session, project, [given(number, query) for number in numbers])
    return jobs.enqueue_many(session, [question(known[number], **more) for number in numbers])


@pytest.fixture
def known(database: Database) -> Database:
    """With project 1 in it."""
    with database.write() as session:
        projects.register(session, 1, CONFIG)
    return database


def test_two_batches_in_opposite_order_at_the_same_moment(known: Database) -> None:
    numbers, together = list(range(1, 601)), Barrier(4)

    def call(order: int) -> list[bool]:
        together.wait()
        with known.write() as session:
            found = ask(session, numbers[::order], query=f"asked in the order {order}")
        return [row.made for row in found.values()]

    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(call, (1, -1, 1, -1)))
    assert sum(map(sum, made)) == 600
    with known.read() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 600
        waiting = session.scalar(select(func.count()).select_from(TaskState).where(TaskState.job_id.is_not(None)))
        assert waiting == 600


def test_batches_that_share_a_part_and_change_it(known: Database) -> None:
    """Some rows are new to one caller and known to the other."""
    with known.write() as session:
        ask(session, list(range(1, 1000, 2)), deliver=False)
    together = Barrier(2)

    def call(numbers: list[int]) -> None:
        together.wait()
        with known.write() as session:
            ask(session, numbers, query=f"{len(numbers)} together", priority=len(numbers))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(call, (list(range(1, 1001)), [1000, 998, 3, 2, 1])))
    with known.read() as session:
        rows = session.execute(select(Job.deliver, Job.priority)).all()
    assert len(rows) == 1000 and {tuple(row) for row in rows} == {(True, 1000)}


def rows_of(session: Session, project: int) -> list[tuple[Any, ...]]:
    """What is stored about a project's tasks, without row numbers and moments."""
    query = (
        select(
            Task.ls_task_id, Task.video_ref, Task.query, Task.data, Task.video_id, Task.name, Task.truth,
            Job.video_ref, Job.query, Job.model_version, Job.deliver, Job.priority, Job.state, Job.prompt,
            TaskState.state, TaskState.job_id == Job.id, TaskState.people, TaskState.said,
        )
        .join(Job, Job.task_id == Task.id)
        .join(TaskState, TaskState.task_id == Task.id)
    )  # fmt: skip
    return [tuple(row) for row in session.execute(query.where(Task.project_id == project).order_by(Task.ls_task_id))]


def test_one_call_makes_the_same_rows_as_many(known: Database) -> None:
    numbers = [*range(1, 522), 7]
    with known.write() as session:
        projects.register(session, 2, CONFIG)
        for number in numbers:
            ask(session, [number])
        ask(session, numbers, project=2)
    with known.read() as session:
        assert rows_of(session, 1) == rows_of(session, 2) and len(rows_of(session, 2)) == 521
        assert session.scalars(select(TaskState.since)).first() is not None


@pytest.mark.parametrize("again", [False, True])
def test_statements_do_not_grow_with_the_tasks(known: Database, again: bool) -> None:
    """Of a chunk; what is known already costs two questions and no write."""
    counts = []
    for first, size in ((1, 5), (1001, 500)):
        numbers = list(range(first, first + size))
        for _ in range(1 + again):
            with statements(known) as seen, known.write() as session:
                ask(session, numbers)
        counts.append(len(seen))
        assert not again or all(line.startswith("SELECT") for line in seen)
    assert counts[0] == counts[1] <= (2 if again else 13)


def test_only_what_changed_is_written(known: Database) -> None:
    with known.write() as session:
        before = tasks.remember_many(session, 1, [given(1, name="first", truth={"keyframes": []}), given(2)])
        video = a_prediction(session).video_id
        session.execute(update(Task).values(video_id=video, warning="cut short"))
    with statements(known) as seen, known.write() as session:
        moved = Given(2, "/data/moved.mp4", "the red box", {"query": "the red box"})
        after = tasks.remember_many(session, 1, [moved, given(1), given(3)])
    assert len([line for line in seen if line.startswith("UPDATE")]) == 1
    assert [after[number].made for number in (1, 2, 3)] == [False, False, True]
    with known.read() as session:
        first, second, third = session.scalars(select(Task).order_by(Task.id))
    assert (first.video_id, first.warning, first.name, first.truth) == (video, "cut short", "first", {"keyframes": []})
    assert (second.video_id, second.warning, second.video_ref) == (None, None, "/data/moved.mp4")
    assert first.updated_at < second.updated_at and (first.id, second.id) == (before[1].id, before[2].id)
    assert after[1].video_sha256 == "0" * 64 and after[2].video_sha256 is None and third.ls_task_id == 3


def test_rows_that_the_session_holds_are_read_again(known: Database) -> None:
    with known.write() as session:
        asked = ask(session, [1], deliver=False)
        task, job = session.scalars(select(Task)).one(), session.scalars(select(Job)).one()
        ask(session, [1], query="another", priority=5)
        assert task.query == "another" and (job.deliver, job.priority) == (True, 5)
        assert [row.id for row in asked.values()] == [job.id]


def test_predictions_are_owed_once_and_handed_out_to_one_caller(known: Database) -> None:
    with known.write() as session:
        prediction = a_prediction(session).id
        found = tasks.remember_many(session, 1, [given(number) for number in range(1, 601)])
        pairs = [(prediction, row.id) for row in found.values()]
        deliveries.owe_many(session, pairs[:300])
        deliveries.owe_many(session, pairs[299:300])
    together = Barrier(4)

    def call(order: int) -> set[tuple[int, int]]:
        together.wait()
        with known.write() as session:
            return deliveries.hand_out_many(session, pairs[::order], window_s=120)

    with ThreadPoolExecutor(4) as pool:
        given_to = list(pool.map(call, (1, -1, 1, -1)))
    assert sorted(pair for some in given_to for pair in some) == sorted(pairs)
    with known.read() as session:
        assert session.scalar(select(func.count()).select_from(Delivery)) == 600
        assert deliveries.taken_many(session, [*pairs, (prediction, 10**6)], window_s=120) == set(pairs)
        assert deliveries.taken_many(session, pairs, window_s=-1) == set()


def _meet(database: Database, first: Callable[[Session], bool], second: Callable[[Session], bool]) -> list[bool]:
    """The second begins when the first has written but not yet committed, and gets as far as it can."""

    def write() -> bool:
        with database.write() as session:
            return second(session)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            found = first(session)
            other = pool.submit(write)
            while database.engine.dialect.name == "postgresql" and not other.done() and not _somebody_waits(database):
                pass
        return [found, other.result()]


def _somebody_waits(database: Database) -> bool:
    waits = "wait_event_type = 'Lock' AND datname = current_database()"
    with database.read() as session:
        return bool(session.scalar(text(f"SELECT count(*) FROM pg_stat_activity WHERE {waits}")))


def _end(session: Session) -> bool:
    """As a worker ends the only job; was its answer to be delivered?"""
    job = session.scalars(select(Job)).one()
    assert job.leased_by is not None
    assert jobs.finish(session, job.id, job.leased_by, a_prediction(session).id)
    return session.get_one(Job, job.id, populate_existing=True, with_for_update=True).deliver


@pytest.mark.parametrize("worker_first", [True, False])
def test_a_job_that_ends_while_it_becomes_owed_is_seen_by_one_of_the_two(known: Database, worker_first: bool) -> None:
    with known.write() as session:
        ask(session, [1], deliver=False)
        assert jobs.lease(session, "w", seconds=60) is not None

    def asks(session: Session) -> bool:
        [found] = ask(session, [1]).values()
        return found.state == "done" and found.prediction_id is not None

    assert _meet(known, *((_end, asks) if worker_first else (asks, _end))) == [False, True]
    with known.read() as session:
        assert session.scalars(select(Job.deliver)).one() and session.scalars(select(TaskState.job_id)).one()
