"""The queue: filters, orders, pages, and who comes next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from backend.db.engine import Database
from backend.db.tables import Prediction
from backend.review import decisions, disagreement, opinions
from backend.review.queue import PAGE, STATES, QueueFilter, first, look, neighbours, row_of, video_name
from stvg_core.metrics import viou
from tests.db.helpers import a_job, a_task, becomes
from tests.review.rows import says
from tests.review.test_decisions import a_tube, suggested

ALL = QueueFilter()


@pytest.fixture
def filled(database: Database) -> Database:
    """Tasks by number: 1 to 3 suggested (uncertainty .9, unknown, .1), 4 labelled by two people and skipped by a third
    (.5), 5 accepted (.4), 6 failed, 7 without candidates (1, of another project and model)."""
    with database.write() as session:
        for number, value in enumerate((0.9, None, 0.1, 0.5, 0.4), start=1):
            suggested(session, number, identity=f"p{number}")
            becomes(session, session.get_one(Prediction, number), uncertainty=value)
        four, five = a_task(session, 4), a_task(session, 5)
        says(session, 41, four, a_tube(), author_id=8)
        says(session, 42, four, a_tube(0.1), author_id=3)
        says(session, 43, four, was_cancelled=True, author_id=9)
        label = says(session, 51, five, a_tube(), author_id=8)
        decisions.decide(session, five.id, "accepted", reviewer="ann", seen=label.id)
        job = a_job(session, a_task(session, 6), identity="bad")
        becomes(session, job, state="failed", reason="not a video")
        suggested(session, 7, identity="p7", project=2)
        empty = session.get_one(Prediction, 6)
        becomes(session, empty, uncertainty=1.0, keyframes=None)
    return database


def listed(database: Database, chosen: QueueFilter) -> list[int]:
    with database.read() as session:
        return [row.ls_task_id for row in look(session, chosen).rows]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (ALL, [7, 1, 4, 5, 3, 2, 6]),  # without candidates first, unknown last
        (replace(ALL, descending=False), [3, 5, 4, 1, 7, 2, 6]),
        (replace(ALL, project_id=2), [7]),
        (replace(ALL, project_id=3), []),
        (replace(ALL, state="suggested"), [7, 1, 3, 2]),
        (replace(ALL, state="to review"), [4]),
        (replace(ALL, state="accepted"), [5]),
        (replace(ALL, state="failed"), [6]),
        (replace(ALL, annotator=8), [4, 5]),
        (replace(ALL, annotator=9), [4]),
        (replace(ALL, annotator=8, state="accepted"), [5]),
        (replace(ALL, model_version="m"), [7, 1, 4, 5, 3, 2]),
        (replace(ALL, model_version="other"), []),
        (replace(ALL, sort="annotator"), [5, 4, 1, 2, 3, 6, 7]),
        (replace(ALL, sort="annotator", descending=False), [4, 5, 1, 2, 3, 6, 7]),
        (replace(ALL, sort="disagreement"), [4, 7, 1, 5, 3, 2, 6]),
        (replace(ALL, page=9), [7, 1, 4, 5, 3, 2, 6]),
    ],
)
def test_filters_and_orders(filled: Database, chosen: QueueFilter, expected: list[int]) -> None:
    assert listed(filled, chosen) == expected
    with filled.read() as session:
        assert [row.ls_task_id for row in first(session, chosen, 3)] == expected[:3]


def test_the_longest_waiting_comes_first_by_age(filled: Database) -> None:
    with filled.read() as session:
        rows = look(session, replace(ALL, sort="age")).rows
        newest = look(session, replace(ALL, sort="age", descending=False)).rows
    since = [row.waiting_since for row in rows]
    assert since == sorted(since) and [row.waiting_since for row in newest] == sorted(since, reverse=True)
    assert rows[0].ls_task_id == 4, "its newest annotation is of January 2026"


def test_what_a_row_says(filled: Database) -> None:
    with filled.read() as session:
        page = look(session, ALL)
        by_number = {row.ls_task_id: row for row in page.rows}
        shared = 1 - viou(a_tube().tube, a_tube(0.1).tube)
        one = row_of(session, 4)
        assert row_of(session, 99) is None
    four, six, seven = by_number[4], by_number[6], by_number[7]
    assert four == one and (four.annotators, four.state) == ((3, 8, 9), "to review")
    assert four.disagreement == pytest.approx(shared, abs=1e-3) and by_number[5].disagreement is None
    assert (six.state, six.reason, six.uncertainty, six.model_version) == ("failed", "not a video", None, None)
    assert (seven.project_id, seven.uncertainty, seven.score, seven.query) == (2, 1.0, 0.5, "the red box")
    assert (page.total, page.pages, page.page) == (7, 1, 1)
    assert {state: n for state, n in page.counts.items() if n} == {
        "suggested": 4, "to review": 1, "accepted": 1, "failed": 1,
    }  # fmt: skip
    assert list(page.counts) == list(STATES)
    assert (page.projects, page.model_versions, page.annotators) == ([1, 2], ["m"], [3, 8, 9])


def test_counts_are_under_the_other_filters(filled: Database) -> None:
    with filled.read() as session:
        page = look(session, replace(ALL, state="accepted", annotator=8))
    assert (page.total, page.counts["to review"], page.counts["suggested"]) == (1, 1, 0)


def test_neighbours_follow_the_filtered_order(filled: Database) -> None:
    def beside(number: int, chosen: QueueFilter) -> tuple[int | None, int | None]:
        return neighbours(session, chosen, rows[number])

    with filled.read() as session:
        rows = {row.ls_task_id: row.task_id for row in look(session, ALL).rows}
        assert beside(7, ALL) == (None, rows[1]) and beside(6, ALL) == (rows[2], None)
        assert beside(1, replace(ALL, state="suggested")) == (rows[7], rows[3])
        # Task 4 and task 5 are not (or no longer) in that state: the way goes on from where they are in the order.
        assert beside(4, replace(ALL, state="suggested")) == (rows[1], rows[3])
        assert beside(4, replace(ALL, sort="disagreement", state="suggested")) == (None, rows[7])
        assert beside(1, replace(ALL, project_id=2)) == (None, None)


def test_pages_meet_and_never_overlap(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for number in range(1, 2 * PAGE + 3):
            a_task(session, number)
    with sqlite_database.read() as session:
        pages = [look(session, replace(ALL, page=number)) for number in (1, 2, 3)]
    assert [len(page.rows) for page in pages] == [PAGE, PAGE, 2] and pages[0].pages == 3
    assert [row.ls_task_id for page in pages for row in page.rows] == list(range(1, 2 * PAGE + 3))


def test_disagreement_is_computed_once_for_the_same_versions(
    sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[int]] = []
    real = opinions.of_tasks

    def counted(session: object, *, task_ids: list[int]) -> object:
        asked.append(list(task_ids))
        return real(session, task_ids=task_ids)  # type: ignore[arg-type]

    monkeypatch.setattr(opinions, "of_tasks", counted)
    with sqlite_database.write() as session:
        task = a_task(session)
        says(session, 1, task, a_tube(), author_id=1)
        says(session, 2, task, a_tube(), author_id=2)
        assert disagreement.disagreements(session, [task.id]) == {task.id: pytest.approx(0.0)}
        assert disagreement.disagreements(session, [task.id]) == {task.id: pytest.approx(0.0)}
        assert asked == [[task.id]]
        says(session, 2, task, a_tube(0.3), author_id=2)
        found = disagreement.disagreements(session, [task.id])
        assert found[task.id] > 0.5 and len(asked) == 2


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("/data/local-files/?d=clips/a%20b.mp4", "a b.mp4"),
        ("/data/upload/3/walk.mp4", "walk.mp4"),
        ("https://host/x/%E8%B5%B0.mp4?X-Amz-Signature=1", "走.mp4"),
        ("", ""),
    ],
)
def test_a_videos_name_for_a_person(ref: str, name: str) -> None:
    assert video_name(ref) == name
