"""Filters: which of the labels leave, and what is said of the others."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from backend.db import annotations
from backend.db.engine import Database
from backend.db.tables import Annotation
from backend.export.records import one_snapshot, records
from backend.export.selection import Selection
from backend.review import decisions
from backend.review.opinions import summary_of
from stvg_core.metrics import viou
from tests.export.labels import dense
from tests.export.rows import CORRECTED, PROPOSED, a_prediction, a_task, a_tube, annotate

DAY = 24 * 60
"""Minutes; the rows' first day is 2026-11-22."""


def left(database: Database, selection: Selection) -> tuple[list[int], Counter[str]]:
    counts: Counter[str] = Counter()
    with database.read() as session:
        return [record.task_id for record in records(session, counts, selection=selection)], counts


def test_accepted_only(sqlite_database: Database) -> None:
    cases = [(PROPOSED, "correct"), (CORRECTED, "correct"), (CORRECTED, None), (CORRECTED, "wrong time")]
    with sqlite_database.write() as session:
        for number, (tube, verdict) in enumerate(cases, start=1):
            task = a_task(session, number)
            annotate(session, task, a_tube(tube), prediction=a_prediction(session, task), verdict=verdict)
        annotate(session, a_task(session, 5), a_tube(), verdict="correct")  # drawn from nothing
    found, counts = left(sqlite_database, Selection(accepted_only=True))
    assert (found, counts["not accepted"], counts["exported"]) == ([1, 2, 3], 2, 3)


def test_a_reviewers_decision_about_the_version_comes_before_the_rule(database: Database) -> None:
    def judged(number: int, decision: str | None, tube: list[Any], **said: Any) -> None:
        task = a_task(session, number)
        proposal = None if said.pop("drawn", False) else a_prediction(session, task)
        annotate(session, task, a_tube(tube), number=number, prediction=proposal, **said)
        label = annotations.present(session, task.id)
        assert label is not None
        if decision is not None:
            reason = None if decision == "accepted" else "boxes loose"
            decisions.decide(session, task.id, decision, reason=reason, reviewer="ann", seen=label.id)

    with database.write() as session:
        judged(1, "accepted", CORRECTED, verdict="wrong time")  # by the rule alone: no
        judged(2, "accepted", PROPOSED, drawn=True)  # no
        judged(3, "rejected", CORRECTED, verdict="correct")  # yes
        judged(4, "sent back", PROPOSED, verdict="correct")  # yes
        judged(5, None, PROPOSED, verdict="correct")  # yes
        judged(6, "rejected", PROPOSED, verdict="correct")
        decisions.undo(session, a_task(session, 6).id, reviewer="ann")
        judged(7, "rejected", CORRECTED, verdict="correct")
        annotate(session, a_task(session, 7), a_tube(PROPOSED), number=7, minute=9, prediction=None)  # a newer version
    found, counts = left(database, Selection(accepted_only=True))
    assert (found, counts["not accepted"]) == ([1, 2, 5, 6], 3)
    with database.read() as session:
        said = {record.task_id: record.decision for record in records(session, Counter())}
    assert said == {1: "accepted", 2: "accepted", 3: "rejected", 4: "sent back", 5: None, 6: None, 7: None}
    assert "reviewer's decision" in " ".join(Selection(accepted_only=True).sentences())


def test_an_export_looks_at_one_moment(database: Database) -> None:
    with database.read() as session:
        one_snapshot(session)
        assert list(records(session, Counter())) == []
        with database.write() as other:
            annotate(other, a_task(other, 1), a_tube())
        assert session.scalar(select(func.count()).select_from(Annotation)) == 0
    with database.read() as session:
        assert len(list(records(session, Counter()))) == 1


@pytest.mark.parametrize(
    ("since", "until", "wanted"),
    [
        (date(2026, 11, 22), date(2026, 11, 22), [1]),
        (date(2026, 11, 23), None, [2, 3]),
        (None, date(2026, 11, 23), [1, 2]),
        (date(2026, 12, 1), None, []),
    ],
)
def test_days_count_from_their_first_to_their_last_moment(
    sqlite_database: Database, since: date | None, until: date | None, wanted: list[int]
) -> None:
    with sqlite_database.write() as session:
        annotate(session, a_task(session, 1), a_tube(), minute=DAY // 2 - 1)  # 23:59 UTC of the first day
        annotate(session, a_task(session, 2), a_tube(), minute=DAY // 2)
        annotate(session, a_task(session, 3), a_tube(), minute=0)
        annotate(session, a_task(session, 3), a_tube(CORRECTED), minute=2 * DAY)
    found, counts = left(sqlite_database, Selection(since=since, until=until))
    assert (found, counts["outside the dates"]) == (wanted, 3 - len(wanted))


def test_an_annotators_label_counts_even_where_anothers_is_newer(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        shared = a_task(session, 1)
        annotate(session, shared, a_tube(CORRECTED), number=201, author=3, minute=1)
        annotate(session, shared, a_tube(PROPOSED), number=202, author=4, minute=2)
        annotate(session, a_task(session, 2), a_tube(), author=4)
    assert left(sqlite_database, Selection(annotators=frozenset({3}))) == (
        [1], Counter({"exported": 1, "drawn": 1, "labelled by others": 1}),
    )  # fmt: skip
    with sqlite_database.read() as session:
        [record] = records(session, Counter(), selection=Selection(annotators=frozenset({3})))
        assert (record.annotation_id, record.tube.start_frame) == (201, CORRECTED[0][0])
        [newest, _] = records(session, Counter())
        assert newest.annotation_id == 202


def test_agreement_of_several_people(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        shared, alone, twice = a_task(session, 1), a_task(session, 2), a_task(session, 3)
        annotate(session, shared, a_tube(PROPOSED), number=201, author=3, minute=1)
        annotate(session, shared, a_tube(CORRECTED), number=202, author=4, minute=2)
        annotate(session, shared, number=203, author=5, minute=3, was_cancelled=True)
        annotate(session, alone, a_tube(), author=3)
        annotate(session, twice, a_tube(), number=301, author=3, minute=1)
        annotate(session, twice, a_tube(CORRECTED), number=302, author=3, minute=2)
    shared_tasks: list[int] = []
    with sqlite_database.read() as session:
        found = list(records(session, Counter(), shared=shared_tasks))
        agreement = summary_of(session, shared_tasks)
    assert (agreement.tasks, agreement.pairs, len(found)) == (1, 1, 3)
    # Worked out by hand: both lines run from x = .1 to .3, one over frames 2 to 9, the other over frames 4 to 9.
    one, other = dense(PROPOSED, [[2, 9]]), dense(CORRECTED, [[4, 9]])
    shift = [abs(one[frame][0] - other[frame][0]) / 96 for frame in other]  # of a box 96 pixels wide
    by_hand = sum((1 - s) / (1 + s) for s in shift) / len(one)
    assert agreement.mean == pytest.approx(by_hand, abs=1e-5) == agreement.lowest


def test_every_task_counts_once_however_many_people_labelled_it(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session, 1)
        for author in (3, 4, 5):
            tube = CORRECTED if author == 5 else PROPOSED
            annotate(session, task, a_tube(tube), number=200 + author, author=author, minute=author)
        task = a_task(session, 2)
        for author in (3, 4):
            annotate(session, task, a_tube(), number=300 + author, author=author, minute=author)
    shared: list[int] = []
    with sqlite_database.read() as session:
        first, second = records(session, Counter(), shared=shared)
        agreement = summary_of(session, shared)
    unlike = viou(first.tube, second.tube)
    assert (agreement.tasks, agreement.pairs) == (2, 4)
    assert agreement.mean == pytest.approx(((1 + 2 * unlike) / 3 + 1) / 2)
