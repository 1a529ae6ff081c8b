"""The dashboard's figures: per project, day, annotator and model version, on both databases."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from backend.db import projects, task_state, tasks
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Review, Task, TaskState
from backend.review import dashboard, dashboard_queries, decisions, disagreement, effort
from backend.review.dashboard import Chosen, Dashboard, Figures, Groups, look
from tests.db.helpers import CONFIG, becomes
from tests.review.labelled import CORRECTED, SUGGESTED, a_correction, a_suggestion, a_task

ALL = Chosen()
MARCH = Chosen(last=date(2026, 3, 31))
"""Suggestions wait since the moment at which the tests run."""


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 3, day, hour, tzinfo=UTC)


def seen(database: Database, chosen: Chosen = ALL) -> Dashboard:
    with database.read() as session:
        return look(session, chosen)


def group(groups: Groups, key: str | None) -> Figures:
    [found] = [row for row in groups.rows if row.key == key]
    return found


def saved(
    session: Session, task: Task, prediction: Prediction | None, who: int, day: int, seconds: float | None, **more: Any
) -> int:
    """A label of annotator ``who``; returns its row."""
    times: dict[str, Any] = {"ls_created_at": at(1), "ls_updated_at": at(day)}
    return a_correction(session, task, prediction, who=who, lead_time_s=seconds, **times, **more).id


def in_project_2(session: Session, number: int) -> Task:
    projects.register(session, 2, CONFIG)
    return tasks.remember(
        session, project_id=2, ls_task_id=number, video_ref="/data/x.mp4", query="a dog", data={"query": "a dog"}
    )


@pytest.fixture
def worked(database: Database) -> Database:
    """Annotators 3 and 4 on four tasks of project 1; a fifth has a suggestion only, a sixth (project 2) nothing."""
    with database.write() as session:
        first, second, third, fourth, fifth = (a_task(session, number) for number in range(1, 6))
        saved(session, first, a_suggestion(session, first), 3, 2, 60)
        saved(session, first, session.query(Prediction).one(), 4, 3, 120, keyframes=SUGGESTED)
        label = saved(session, second, a_suggestion(session, second), 3, 3, 30, keyframes=SUGGESTED)
        of_another = a_suggestion(session, third, model_version="n@1/0")
        becomes(session, session.query(Job).filter_by(task_id=third.id).one(), model_version="n@1/0")
        saved(session, third, of_another, 4, 5, None)
        saved(session, fourth, None, 4, 5, 600)
        a_suggestion(session, fifth)
        in_project_2(session, 1)
        decisions.decide(
            session, second.id, "sent back", reason="wrong start or end", reviewer="rita", seen=label
        ).created_at = at(4)
    disagreement.record_due(database)
    return database


def test_nothing_yet(sqlite_database: Database) -> None:
    found = seen(sqlite_database)
    assert found.total == Figures() and found.days.rows == found.people.rows == [] and found.people.largest("done") == 1


def test_what_is_done_and_what_waits(worked: Database) -> None:
    found = seen(worked)
    assert (found.total.done, found.total.to_annotate, found.total.to_review) == (5, 3, 3)
    assert [(row.key, row.done, row.to_annotate, row.to_review) for row in found.projects.rows] == [
        ("1", 5, 2, 3), ("2", 0, 1, 0),
    ]  # fmt: skip
    assert [(row.key, row.done) for row in found.people.rows] == [("4", 3), ("3", 2), (None, 0)]
    assert group(found.people, "3").to_annotate == 1, "what was sent back waits for the one whose label it is"
    assert group(found.people, None).to_annotate == 2
    assert {row.key: row.done for row in found.versions.rows} == {"m@1/0": 3, "n@1/0": 1, None: 1}


def test_the_median_of_what_labels_took(worked: Database) -> None:
    found = seen(worked)
    assert found.total.lead_time_s == pytest.approx(90) and found.total.timed == 4
    assert group(found.people, "3").lead_time_s == pytest.approx(45)
    assert group(found.people, "4").lead_time_s == pytest.approx(360) and group(found.people, "4").timed == 2
    assert group(found.versions, "n@1/0").lead_time_s is None


def test_the_edits_saved_are_those_of_the_report(worked: Database) -> None:
    with worked.read() as session:
        report = effort.total(effort.stored_cases(session, Counter()))
    found = seen(worked)
    assert report.saved is not None and 0 < report.saved < 1
    assert found.total.saved == pytest.approx(report.saved)
    assert group(found.versions, None).saved is None, "it was drawn from nothing: there was nothing to save"


def test_agreement_counts_each_task_once(worked: Database) -> None:
    with worked.read() as session:
        [far] = [row.disagreement for row in session.query(TaskState) if row.disagreement is not None]
    found = seen(worked)
    assert 0 < far < 1
    for row in (found.total, group(found.people, "3"), group(found.people, "4"), group(found.projects, "1")):
        assert row.agreement == pytest.approx(1 - far) and row.compared == 1
    assert group(found.versions, None).agreement is None


def test_why_labels_came_back(worked: Database) -> None:
    found = seen(worked)
    why = {"wrong start or end": 1}
    assert found.total.reasons == group(found.people, "3").reasons == group(found.versions, "m@1/0").reasons == why
    assert group(found.people, "4").came_back == 0 and group(seen(worked, MARCH).days, "2026-03-04").reasons == why
    with worked.write() as session:
        decisions.undo(session, session.query(Review).one().task_id, reviewer="rita")
    assert seen(worked).total.reasons == {}, "it was taken back"


@pytest.mark.parametrize("decision", task_state.REFUSALS)
def test_each_way_to_refuse_a_label_counts(worked: Database, decision: str) -> None:
    with worked.write() as session:
        task = session.query(Task).filter_by(ls_task_id=4).one()
        label, _ = decisions.subject(session, task.id)
        assert label is not None
        decisions.decide(session, task.id, decision, reason="boxes loose", reviewer="rita", seen=label.id)
    assert seen(worked).total.reasons == {"wrong start or end": 1, "boxes loose": 1}


def test_filters(worked: Database) -> None:
    two = seen(worked, Chosen(project_id=2))
    assert (two.total.done, two.total.to_annotate) == (0, 1) and [row.key for row in two.projects.rows] == ["2"]
    three = seen(worked, Chosen(annotator=3))
    assert three.total.done == 2 and [row.key for row in three.people.rows] == ["3"]
    assert three.total.reasons == {"wrong start or end": 1} and seen(worked, Chosen(annotator=4)).total.came_back == 0
    assert seen(worked, Chosen(model_version="n@1/0")).total.done == 1
    assert seen(worked, Chosen(model_version="none")).total == Figures()
    days = seen(worked, Chosen(first=date(2026, 3, 3), last=date(2026, 3, 3)))
    assert (days.total.done, days.total.came_back) == (2, 0) and days.total.to_annotate == 3, "as it is now"
    assert [row.key for row in days.days.rows] == ["2026-03-03"]
    assert seen(worked, Chosen(last=date.max, first=date.min)).total.done == 5


def test_days_are_without_gaps_and_the_last_ones(worked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    days = seen(worked, MARCH).days
    assert [row.key for row in days.rows][:1] == ["2026-03-02"] and days.more == 0
    assert [row.done for row in days.rows] == [1, 2, 0, 2]
    monkeypatch.setattr(dashboard, "DAYS", 2)
    days = seen(worked, MARCH).days
    assert [row.key for row in days.rows] == ["2026-03-04", "2026-03-05"] and days.more == 2


def test_a_skip_is_not_done_and_a_newer_version_counts_once(worked: Database) -> None:
    with worked.write() as session:
        task = a_task(session, 9)
        saved(session, task, None, 3, 6, 10, was_cancelled=True, tubes=[])
        saved(session, task, None, 4, 6, 10)
        saved(session, task, None, 4, 7, 10, keyframes=CORRECTED)
    found = seen(worked)
    assert found.total.done == 6 and group(found.people, "3").done == 2
    assert group(seen(worked, MARCH).days, "2026-03-07").done == 1


def test_a_long_list_is_cut_and_says_so(worked: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dashboard, "SHOWN", 1)
    people = seen(worked).people
    assert [row.key for row in people.rows] == ["4"] and people.more == 2


def test_labels_and_diffs_are_read_from_indexes_alone(sqlite_database: Database) -> None:
    """Their rows hold tubes and overlaps: of a hundred thousand labels they would all be read from the disk."""
    sent: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *rest: Any) -> None:
        sent.append((statement, values))

    with sqlite_database.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        assert list(dashboard_queries.labels(session, ALL)) == []
        event.remove(connection, "before_cursor_execute", note)
        [(statement, values)] = sent
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    for index in ("ix_annotation_counts", "ix_diff_edits"):
        assert [step for step in plan if f"USING COVERING INDEX {index}" in step], plan
