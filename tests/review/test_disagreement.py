"""How far people disagree: computed outside of transactions, stored for the versions that it was computed for."""

from __future__ import annotations

import pytest

from backend.db import task_state
from backend.db.engine import Database
from backend.db.tables import Annotation, TaskState
from backend.review import disagreement, opinions, queue, recording
from stvg_core.metrics import viou
from tests.db.helpers import a_job, a_task, becomes, statements
from tests.review.rows import says
from tests.review.test_decisions import a_tube

APART = 1 - viou(a_tube().tube, a_tube(0.1).tube)


def stored(database: Database, task_id: int) -> tuple[float | None, bool]:
    """The value on the queue, and whether it says that it is being compared."""
    with database.read() as session:
        row = queue.row_of(session, task_id)
    assert row is not None
    return row.disagreement, row.comparing


def test_it_is_stored_once_for_the_same_versions(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        says(session, 1, task, a_tube(), author_id=1)
    assert disagreement.record_due(database) == 0 and stored(database, task.id) == (None, False), "one opinion"
    with database.write() as session:
        says(session, 2, task, a_tube(0.1), author_id=2)
    assert stored(database, task.id) == (None, True)
    assert disagreement.record_due(database) == 1 and disagreement.record_due(database) == 0
    assert stored(database, task.id) == (pytest.approx(APART, abs=1e-3), False)
    with database.write() as session:
        says(session, 2, task, a_tube(), author_id=2)
    assert stored(database, task.id) == (None, True), "the old figure is of other versions"
    assert disagreement.record_due(database) == 1
    assert stored(database, task.id) == (pytest.approx(0.0, abs=1e-6), False)


def test_a_figure_goes_with_the_versions_that_it_was_computed_for(database: Database) -> None:
    """Whatever else changes about the task leaves it; once others speak, even one alone, it is nowhere."""
    with database.write() as session:
        task = a_task(session)
        says(session, 1, task, a_tube(), author_id=1)
        says(session, 2, task, a_tube(0.1), author_id=2)
    assert disagreement.record_due(database) == 1

    def columns() -> tuple[float | None, bool]:
        with database.read() as session:
            row = session.get_one(TaskState, task.id)
            return row.disagreement, row.compared is not None

    with database.write() as session:
        becomes(session, a_job(session, task), state="failed", reason="no video")
    assert columns() == (pytest.approx(APART, abs=1e-3), True), "the same versions speak"
    with database.write() as session:
        says(session, 2, task, deleted=True, author_id=2)
    assert columns() == (None, False) and stored(database, task.id) == (None, False), "nobody is left to disagree with"
    assert disagreement.record_due(database) == 0
    with database.write() as session:
        says(session, 3, task, a_tube(), author_id=3)
    assert columns() == (None, False) and stored(database, task.id) == (None, True)


def test_two_who_say_nothing_are_compared_once(sqlite_database: Database) -> None:
    """Two people are counted, but neither says where the tube is."""
    with sqlite_database.write() as session:
        task = a_task(session)
        for number in (1, 2):
            says(session, number, task, problem="no interface", author_id=number)
    assert disagreement.record_due(sqlite_database) == 1 and disagreement.record_due(sqlite_database) == 0
    assert stored(sqlite_database, task.id) == (None, False)


def test_a_version_that_comes_meanwhile_is_compared_too(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        says(session, 1, task, a_tube(), author_id=1)
        says(session, 2, task, a_tube(), author_id=2)
    real, late = opinions.of_versions, [0.1]

    def while_another_saves(said: list[opinions.Said]) -> object:
        found = real(said)
        if late:
            with sqlite_database.write() as session:  # nothing is locked while it is computed
                says(session, 2, task, a_tube(late.pop()), author_id=2)
        return found

    monkeypatch.setattr(opinions, "of_versions", while_another_saves)
    assert disagreement.record_due(sqlite_database) == 1
    assert stored(sqlite_database, task.id) == (pytest.approx(APART, abs=1e-3), False)


def test_one_that_cannot_be_compared_does_not_stop_the_others(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        tasks = [a_task(session, number) for number in (1, 2)]
        for task in tasks:
            for author in (1, 2):
                says(session, 10 * task.id + author, task, a_tube(), author_id=author)
        broken = session.get_one(Annotation, 1)
        broken.tubes = [{"region_id": "x", "label": "Target", "intervals": [[0, 9]], "keyframes": ["no box"]}]
    assert disagreement.record_due(sqlite_database) == 2
    assert stored(sqlite_database, tasks[0].id) == (None, False)
    assert stored(sqlite_database, tasks[1].id) == (pytest.approx(0.0, abs=1e-6), False)


def test_comparing_more_tasks_takes_no_more_statements(database: Database) -> None:
    counts, made = [], 0
    for count in (1, 5):
        with database.write() as session:
            for number in range(count):
                made += 1
                task = a_task(session, 100 * count + number)
                for author in (1, 2):
                    says(session, 10 * made + author, task, a_tube(author / 10), author_id=author)
        with statements(database) as seen:
            assert disagreement.record_due(database) == count
        counts.append(len(seen))
    assert counts[0] == counts[1]


def test_of_one_task(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        says(session, 1, task, a_tube(), author_id=1)
        says(session, 2, task, a_tube(0.1), author_id=2)
        said = recording.current(session, task_ids=[task.id])
        assert disagreement.of_task(said) == pytest.approx(APART, abs=1e-3)
        assert disagreement.of_task(said[:1]) is None
        assert task_state.compare_due(session, limit=5) == [(task.id, "1,2")]
