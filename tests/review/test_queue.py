"""The queue: filters, orders, pages, and who comes next."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.tables import Annotation, Prediction, TaskState
from backend.review import decisions, keyset, queue
from backend.review.disagreement import record_due
from backend.review.keyset import END, Cursor
from backend.review.queue import (
    PAGE,
    SORTS,
    STATES,
    QueueFilter,
    QueuePage,
    Sort,
    first,
    look,
    neighbours,
    row_of,
    video_name,
)
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
    assert record_due(database) == 1
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
        (replace(ALL, sort="disagreement"), [4, 1, 2, 3, 5, 6, 7]),
        (replace(ALL, sort="disagreement", descending=False), [4, 1, 2, 3, 5, 6, 7]),
        (replace(ALL, cursor=END), [7, 1, 4, 5, 3, 2, 6]),
        (replace(ALL, cursor=Cursor(None, 999)), [7, 1, 4, 5, 3, 2, 6]),
    ],
)
def test_filters_and_orders(filled: Database, chosen: QueueFilter, expected: list[int]) -> None:
    assert listed(filled, chosen) == expected
    with filled.read() as session:
        assert [row.ls_task_id for row in first(session, replace(chosen, cursor=None), 3)] == expected[:3]


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
    assert (page.total, page.previous, page.next, page.last) == (7, None, None, None)
    assert {state: n for state, n in page.counts.items() if n} == {
        "suggested": 4, "to review": 1, "accepted": 1, "failed": 1,
    }  # fmt: skip
    assert list(page.counts) == list(STATES)
    assert (page.model_versions, page.annotators) == (["m"], [3, 8, 9])
    assert page.projects == [(1, None), (2, None)]


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
        assert beside(4, replace(ALL, sort="disagreement", state="suggested")) == (None, rows[1])
        assert beside(1, replace(ALL, project_id=2)) == (None, None)


def test_pages_meet_and_never_overlap(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for number in range(1, 2 * PAGE + 3):
            a_task(session, number)
    pages, chosen = [], ALL
    with sqlite_database.read() as session:
        for _ in range(3):
            pages.append(look(session, chosen))
            chosen = replace(chosen, cursor=pages[-1].next)
        last = look(session, replace(ALL, cursor=pages[0].last))
        before = look(session, replace(ALL, cursor=last.previous))
        whole = look(session, replace(ALL, cursor=before.previous))
    assert [len(page.rows) for page in pages] == [PAGE, PAGE, 2] and pages[2].next is None and pages[2].last is None
    assert numbers(*pages) == list(range(1, 2 * PAGE + 3))
    assert numbers(last) == list(range(PAGE + 3, 2 * PAGE + 3)) and numbers(before) == list(range(3, PAGE + 3))
    assert numbers(whole) == list(range(1, PAGE + 1)) and whole.previous is None, "two before it: the first page, whole"


def numbers(*pages: QueuePage) -> list[int]:
    return [row.ls_task_id for page in pages for row in page.rows]


def test_more_than_a_statement_can_name_are_listed(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_AT_ONCE", 2)
    with sqlite_database.write() as session:
        for number in range(1, 8):
            a_task(session, number)
    with sqlite_database.read() as session:
        for count in range(1, 10):
            assert [row.ls_task_id for row in first(session, ALL, count)] == list(range(1, 8))[:count]


VALUES: dict[Sort, list[Any]] = {
    "uncertainty": [0.1, 1 / 3, 0.1, 0.0, 1.0, 0.1, 1 / 3],
    "disagreement": [0.25, 0.1 + 0.2, 0.25, 0.25, 0.0, 0.3, 0.9],
    "versions": [0.5, 1.0, 0.5, 1 / 3, 0.0, 0.5, 1 / 3],
    "age": [datetime(2026, 1, 1 + n % 2, 10, 0, 0, n % 3, tzinfo=UTC) for n in range(7)],
    "annotator": [7, 2**40, 7, 7, 3, 7, 2**40],
}
COLUMN = {
    "uncertainty": "uncertainty", "disagreement": "disagreement", "versions": "versions_agree", "age": "since",
    "annotator": "author_id",
}  # fmt: skip
FILTERS = (
    ALL, replace(ALL, state="to review"), replace(ALL, project_id=2), replace(ALL, model_version="v"),
    replace(ALL, annotator=9), replace(ALL, annotator=9, state="to review", project_id=1, model_version="v"),
)  # fmt: skip


@pytest.fixture
def mixed(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """21 tasks with ties and, every third, nothing known; the columns are set by hand, whatever would lead to them."""
    monkeypatch.setattr(queue, "PAGE", 4)
    with database.write() as session:
        for number in range(1, 22):
            task = a_task(session, number, project=1 + number % 2)
            if number % 4 == 0:
                says(session, number, task, a_tube(), author_id=9)
            state = session.get_one(TaskState, task.id)
            state.state = "to review" if number % 5 else "failed"
            state.model_version = "v" if number % 3 else None
            for sort in SORTS:
                known = number % 3 or sort == "age"
                setattr(state, COLUMN[sort], VALUES[sort][number % 7] if known else None)
            state.people, state.compared, state.said = 2, "x", "x"
    return database


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", SORTS)
def test_every_task_is_met_once_both_ways(mixed: Database, sort: Sort, descending: bool) -> None:
    """Next, next, next from the first page; previous, previous from the last; and from task to task."""
    with mixed.read() as session:
        for chosen in FILTERS:
            chosen = replace(chosen, sort=sort, descending=descending)
            expected = by_hand(session, chosen)
            assert len(expected) > 1
            assert walked(session, chosen, forwards=True) == expected, chosen
            assert walked(session, replace(chosen, cursor=END), forwards=False) == expected, chosen
            for place, number in enumerate(expected):
                beside = (expected[place - 1] if place else None), (expected[place + 1 :] or [None])[0]
                assert neighbours(session, chosen, number) == beside, chosen


def by_hand(session: Session, chosen: QueueFilter) -> list[int]:
    said = select(Annotation.task_id).where(Annotation.author_id == chosen.annotator)
    speakers = set(session.scalars(said))
    rows = [
        row
        for row in session.scalars(select(TaskState).order_by(TaskState.task_id))
        if chosen.state in (None, row.state)
        and chosen.project_id in (None, row.project_id)
        and chosen.model_version in (None, row.model_version)
        and (chosen.annotator is None or row.task_id in speakers)
    ]
    column = COLUMN[chosen.sort]
    known = [row for row in rows if getattr(row, column) is not None]
    known.sort(key=lambda row: getattr(row, column), reverse=chosen.descending != (chosen.sort in ("age", "versions")))
    return [row.task_id for row in known + [row for row in rows if getattr(row, column) is None]]


def walked(session: Session, chosen: QueueFilter, *, forwards: bool) -> list[int]:
    """The tasks in order. Every cursor goes through an address, as on the page."""
    found: list[int] = []
    for _ in range(30):
        page = look(session, chosen)
        mine = [row.task_id for row in page.rows]
        found = found + mine if forwards else [number for number in mine if number not in found] + found
        cursor = page.next if forwards else page.previous
        if cursor is None:
            return found
        again = keyset.from_text(keyset.to_text(cursor), queue.value_kind(chosen.sort), backwards=not forwards)
        assert again == cursor
        chosen = replace(chosen, cursor=again)
    raise AssertionError("the pages do not end")


def test_pages_do_not_overlap_when_rows_leave(mixed: Database) -> None:
    chosen = replace(ALL, state="to review")
    with mixed.write() as session:
        page = look(session, chosen)
        rest = by_hand(session, chosen)[len(page.rows) :]
        for row in page.rows:
            session.get_one(TaskState, row.task_id).state = "accepted"
        following = look(session, replace(chosen, cursor=page.next))
        assert [row.task_id for row in following.rows] == rest[:4], "none is left out, none comes twice"
        for row in session.scalars(select(TaskState)):
            row.state = "accepted"
        session.flush()
        assert look(session, replace(chosen, cursor=page.next)).rows == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (None, float), ("", float), ("0.5", float), ("0.5~", float), ("~5", float), ("nan~5", float), ("inf~5", float),
        ("0.5~-1", float), ("0.5~99999999999", float), ("x~5", float), ("0.5~5", int), ("0.5~5", datetime),
        ("99999999999999999999~5", int), ("-1~5", int), ("2026-13-01~5", datetime), ("9" * 80 + "~5", float),
        ("\u0665~5", float), ("end", float), ("-~", float), ("0.5~\x00", float),
    ],
)  # fmt: skip
def test_a_bad_cursor_is_none(text: str | None, kind: type) -> None:
    assert keyset.from_text(text, kind) is None


def test_a_cursor_is_readable() -> None:
    moment = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
    assert keyset.to_text(Cursor(moment, 7)) == "2026-01-31T10:00:00~7"
    assert [keyset.to_text(Cursor(value, 7)) for value in (0.25, 12, None)] == ["0.25~7", "12~7", "-~7"]
    assert keyset.to_text(END) == "end" and keyset.from_text("end", int, backwards=True) == END


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
