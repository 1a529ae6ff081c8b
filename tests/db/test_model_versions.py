"""How far a task's newest suggestion agrees with those of other model versions: the figure, and what keeps it true."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from backend.db import jobs, model_versions, predictions, pruning, schema, task_state
from backend.db.engine import Database
from backend.db.row_keys import LONGEST, key_of
from backend.db.tables import Job, Prediction, Task, TaskState
from backend.db.types import now
from backend.review import compare
from stvg_core.tube import Tube
from tests.db.helpers import a_prediction, a_task, becomes, statements
from tests.review.rows import says
from tests.review.test_decisions import a_tube

WHOLE = [[0, 0.2, 0.2, 0.4, 0.4], [9, 0.2, 0.2, 0.4, 0.4]]
HALF = [[0, 0.2, 0.2, 0.4, 0.4], [4, 0.2, 0.2, 0.4, 0.4]]
FIFTH = [[0, 0.2, 0.2, 0.4, 0.4], [1, 0.2, 0.2, 0.4, 0.4]]
ELSEWHERE = [[0, 0.6, 0.6, 0.8, 0.8], [9, 0.6, 0.6, 0.8, 0.8]]


TUBES = "SELECT prediction.id, prediction.model_version, prediction.keyframes, prediction.evidence_info "
"""How the statement begins that reads them."""


def a_still_tube(last: int) -> Tube:
    return Tube(0, np.tile(np.array([0.2, 0.2, 0.4, 0.4], dtype=np.float32), (last + 1, 1)))


@pytest.mark.parametrize(
    ("newest", "others", "expected"),
    [
        (9, [], None),
        (9, [4], 0.5),
        (4, [9], 0.5),
        (9, [9], 1.0),
        (None, [None], 1.0),
        (9, [None], 0.0),
        (None, [9], 0.0),
        (9, [4, 1], 0.35),  # the mean: the lowest is .2
        (9, [9, 9, None], 2 / 3),
        (4, [9, 9], 0.5),  # not how far the others agree among themselves
    ],
)
def test_the_figure(newest: int | None, others: list[int | None], expected: float | None) -> None:
    one, *rest = (None if last is None else a_still_tube(last) for last in (newest, *others))
    assert model_versions.agreement(one, rest) == (None if expected is None else pytest.approx(expected))


def job(row: int | None, version: str, *, state: str = "done", video: int = 1, sentence: str = "a") -> SimpleNamespace:
    return SimpleNamespace(prediction_id=row, answered_by=version, state=state, video_id=video, sentence=sentence)


@pytest.mark.parametrize(
    ("oldest_first", "expected"),
    [
        ([], []),
        ([job(1, "a")], []),
        ([job(1, "a"), job(2, "a")], []),
        ([job(1, "a"), job(2, "b")], [2, 1]),
        ([job(2, "b"), job(1, "a")], [1, 2]),
        ([job(1, "a"), job(2, "b"), job(3, "a")], [3, 2, 1]),
        ([job(1, "a"), job(2, "b"), job(1, "a")], [1, 2]),
        ([job(1, "a"), job(2, "b", sentence="other")], []),
        ([job(1, "a"), job(2, "b", video=2)], []),
        ([job(1, "a"), job(2, "b"), job(3, "c", sentence="other")], []),
        ([job(1, "a", sentence="other"), job(2, "b"), job(3, "c")], [3, 2]),
        ([job(1, "a"), job(2, "b", state="queued")], []),
        ([job(1, "a"), job(2, "b"), job(None, "c"), job(3, "d", state="failed")], [2, 1]),
    ],
)
def test_what_answers_the_same_question(oldest_first: list[SimpleNamespace], expected: list[int]) -> None:
    assert model_versions.answers(oldest_first) == expected


def test_of_each_version_the_newest_about_the_same_part() -> None:
    def row(number: int, version: str, part: list[int] | None = None) -> SimpleNamespace:
        return SimpleNamespace(id=number, model_version=version, evidence_info={"segment": part} if part else {})

    rows = [row(5, "a"), row(4, "b", [0, 9]), row(3, "b"), row(2, "a"), row(1, "b")]
    assert [one.id for one in model_versions.one_of_each(rows)] == [5, 3]
    assert [one.id for one in model_versions.one_of_each(rows[1:])] == [4]
    assert model_versions.one_of_each([]) == []


def test_a_key_names_the_rows_and_fits() -> None:
    assert [key_of(rows) for rows in ([], [3], [7, 3])] == ["", "3", "7,3"]
    long = [key_of(range(first, first + 40)) for first in (100, 100, 101)]
    assert long[0] == long[1] != long[2] and {len(key) for key in long} == {LONGEST}


def answered(session: Session, task: Task, version: str, keyframes: Any, **values: Any) -> Prediction:
    """What a version answers to the task's question, as a worker stores it."""
    deliver = values.pop("deliver", True)
    like = a_prediction(session)
    columns = {c.name: getattr(like, c.name) for c in Prediction.__table__.columns if c.name not in ("id", "identity")}
    name = f"{version}-{task.id}"
    given = {"model_version": version, "keyframes": keyframes, "evidence_info": {}, **values}
    row = predictions.store(session, name, **{**columns, **given})
    jobs.enqueue(
        session, identity=name, task_id=task.id, video_ref=task.video_ref, query=task.query, model_version=version,
        deliver=deliver,
    )  # fmt: skip
    held = jobs.lease(session, "worker", seconds=60, versions=[version])
    assert held is not None and held.leased_by is not None and held.identity == name
    assert jobs.finish(session, held.id, held.leased_by, row.id)
    return row


def agree(session: Session, task: Task) -> float | None:
    return session.get_one(TaskState, task.id, populate_existing=True).versions_agree


def test_it_is_known_as_soon_as_a_second_version_has_answered(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        assert agree(session, task) is None
        answered(session, task, "first", WHOLE)
        assert agree(session, task) is None
        answered(session, task, "second", HALF)
        assert agree(session, task) == pytest.approx(0.5)
        answered(session, task, "third", WHOLE)
        assert agree(session, task) == pytest.approx(0.75), "the newest with each of the others"


def test_nothing_found(database: Database) -> None:
    with database.write() as session:
        one, both = a_task(session, 1), a_task(session, 2)
        answered(session, one, "first", WHOLE)
        answered(session, one, "second", None)
        answered(session, both, "first", None)
        answered(session, both, "second", None)
        assert (agree(session, one), agree(session, both)) == (0.0, 1.0)


@pytest.mark.parametrize(
    "another", [{"query": "another sentence"}, {"evidence_info": {"segment": [0, 9]}}, {"deliver": False}]
)
def test_an_answer_to_another_question_is_compared_with_nothing(database: Database, another: dict[str, Any]) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", WHOLE)
        answered(session, task, "second", HALF, **another)
        assert agree(session, task) is None
        answered(session, task, "third", HALF)
        assert agree(session, task) == pytest.approx(0.5), "with the first alone"


def test_a_newest_suggestion_about_another_sentence_takes_the_figure_away(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", WHOLE)
        answered(session, task, "second", HALF)
        answered(session, task, "third", HALF, query="another sentence")
        assert agree(session, task) is None


def test_a_task_that_is_grounded_again_has_no_figure_until_it_is_answered(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", WHOLE)
        answered(session, task, "second", HALF)
        second = jobs.find(session, f"second-{task.id}")
        assert second is not None and jobs.ask_again_many(session, [second.id]) == 1
        assert agree(session, task) is None
        row = predictions.store(
            session, "about the new file",
            **{c.name: getattr(session.get_one(Prediction, 1), c.name) for c in Prediction.__table__.columns
               if c.name not in ("id", "identity")} | {"model_version": "second", "keyframes": ELSEWHERE},
        )  # fmt: skip
        held = jobs.lease(session, "worker", seconds=60, versions=["second"])
        assert held is not None and held.leased_by is not None
        jobs.finish(session, held.id, held.leased_by, row.id)
        assert agree(session, task) == 0.0


def test_an_annotators_question_that_becomes_the_tasks_own_counts(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", WHOLE)
        answered(session, task, "second", HALF, deliver=False)
        jobs.enqueue(
            session, identity=f"second-{task.id}", task_id=task.id, video_ref=task.video_ref, query=task.query,
            model_version="second",
        )  # fmt: skip
        assert agree(session, task) == pytest.approx(0.5)


def test_tubes_are_read_only_when_other_predictions_speak(database: Database) -> None:
    with database.write() as session:
        tasks = [a_task(session, number) for number in (1, 2, 3)]
        for task in tasks:
            answered(session, task, "first", WHOLE)
            answered(session, task, "second", HALF)
    with database.write() as session, statements(database) as seen:
        task_state.refresh(session, [task.id for task in tasks])
        says(session, 1, tasks[0], a_tube(), author_id=1)
    assert not [sent for sent in seen if sent.startswith(TUBES)]
    with database.write() as session:
        assert [agree(session, task) for task in tasks] == [pytest.approx(0.5)] * 3
        session.execute(update(TaskState).values(versions_compared=None, versions_agree=None))
        with statements(database) as seen:
            task_state.refresh(session, [task.id for task in tasks])
        assert len([sent for sent in seen if sent.startswith(TUBES)]) == 1, "all at once"
        assert [agree(session, task) for task in tasks] == [pytest.approx(0.5)] * 3


def test_a_tube_that_cannot_be_read_keeps_nobody_from_saving(database: Database) -> None:
    with database.write() as session:
        broken, sound = a_task(session, 1), a_task(session, 2)
        answered(session, broken, "first", ["no box"])
        answered(session, broken, "second", WHOLE)
        answered(session, sound, "first", WHOLE)
        answered(session, sound, "second", WHOLE)
        says(session, 1, broken, a_tube())
        assert (agree(session, broken), agree(session, sound)) == (None, 1.0)
        assert session.get_one(TaskState, broken.id).state == "to review"


def test_people_see_the_version_that_was_asked_last(database: Database) -> None:
    """As docs/review.md says: asking the first again makes no job, and does not bring its suggestion back."""
    with database.write() as session:
        task = a_task(session)
        for version in ("only compared", "to be seen"):
            answered(session, task, version, WHOLE)
        _, made = jobs.enqueue(
            session, identity=f"only compared-{task.id}", task_id=task.id, video_ref=task.video_ref, query=task.query,
            model_version="only compared",
        )  # fmt: skip
        assert not made and jobs.lease(session, "worker", seconds=60) is None
        assert session.get_one(TaskState, task.id, populate_existing=True).model_version == "to be seen"


def test_older_rows_are_filled_a_page_at_a_time_and_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare, "_PAGE", 2)
    with database.write() as session:
        tasks = [a_task(session, number) for number in range(1, 7)]
        for task in tasks[:5]:
            answered(session, task, "first", WHOLE)
            answered(session, task, "second", HALF, **({"query": "another"} if task is tasks[2] else {}))
        answered(session, tasks[5], "first", WHOLE)
        kept = {task.id: agree(session, task) for task in tasks}
    schema.downgrade(database.engine, "0010")
    schema.upgrade(database.engine)
    with database.read() as session:
        rows = [session.get_one(TaskState, task.id) for task in tasks]
        assert [(row.versions_compared, row.versions_agree) for row in rows] == [(None, None)] * 5 + [("", None)]
    assert compare.record_missing(database) == 4
    with database.read() as session:
        assert {task.id: agree(session, task) for task in tasks} == kept
    with statements(database) as seen:
        assert compare.record_missing(database) == 0
    assert not [sent for sent in seen if sent.startswith("INSERT")], "nothing is written again"


def test_what_was_pruned_is_compared_with_nothing(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", WHOLE)
        answered(session, task, "second", HALF)
        for row in session.query(Job):
            becomes(session, row, finished_at=now() - timedelta(days=40))
        assert agree(session, task) == pytest.approx(0.5)
    assert pruning.drop_jobs(database, now() - timedelta(days=30)) == 1
    with database.read() as session:
        assert agree(session, task) is None and compare.look(session, task.id) is None
        assert session.get_one(TaskState, task.id).model_version == "second"


def test_the_page_of_a_task_has_the_same_figure(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        answered(session, task, "first", ELSEWHERE)
        answered(session, task, "second", HALF)
        answered(session, task, "second, other settings", WHOLE)
        found = [compare.look(session, task.id, None, other) for other in ("first", "second")]
        assert agree(session, task) == pytest.approx(sum(one.viou or 0.0 for one in found if one) / 2)
        assert agree(session, task) == pytest.approx(0.25)
