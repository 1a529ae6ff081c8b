"""Suggestions that a reviewer accepted before anybody annotated leave as labels; others do not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from backend.db import annotations, jobs
from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.evaluation.database_samples import corrected_truths
from backend.export.exporting import export
from backend.export.formats import FORMATS
from backend.export.record import Record
from backend.export.records import records
from backend.export.selection import Selection
from backend.review import decisions
from tests.db.helpers import becomes
from tests.export.rows import CORRECTED, PROPOSED, a_prediction, a_task, a_tube, a_video, annotate


def suggest(session: Session, task: Task) -> Prediction:
    """A prediction that the task's own job found."""
    prediction = a_prediction(session, task)
    job, _ = jobs.enqueue(
        session, identity=f"job-{task.id}", task_id=task.id, video_ref=task.video_ref, query=task.query,
        model_version="m", deliver=True, priority=0,
    )  # fmt: skip
    becomes(session, job, state="done", prediction_id=prediction.id)
    session.flush()
    return prediction


def decide(session: Session, task: Task, decision: str = "accepted") -> None:
    label = annotations.present(session, task.id)
    reason = None if decision == "accepted" else "wrong object"
    seen = None if label is None else label.id
    decisions.decide(session, task.id, decision, reason=reason, reviewer="ann", seen=seen)


def leaving(database: Database, selection: Selection | None = None) -> tuple[list[Record], Counter[str]]:
    counts: Counter[str] = Counter()
    with database.read() as session:
        return list(records(session, counts, selection=selection or Selection())), counts


def test_an_accepted_suggestion_is_a_label(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        suggest(session, task)
    assert leaving(database)[0] == []
    with database.write() as session:
        decide(session, task)
    for selection in (Selection(), Selection(accepted_only=True)):
        [record], counts = leaving(database, selection)
        assert (counts["exported"], counts["suggested"]) == (1, 1)
        assert (record.origin, record.annotation_id, record.author_id, record.decision) == (
            "suggested", None, None, "accepted",
        )  # fmt: skip
        assert (record.name, record.label, record.model_version) == ("task-1", "Target", "m")
        assert (record.tube.start_frame, record.tube.end_frame) == (2, 9) and record.intervals == ((2, 9),)
        assert record.tube.boxes[0].tolist() == pytest.approx(PROPOSED[0][1:])


@pytest.mark.parametrize("decision", ["rejected", "sent back"])
def test_other_decisions_make_no_label(database: Database, decision: str) -> None:
    with database.write() as session:
        task = a_task(session)
        suggest(session, task)
        decide(session, task, decision)
    assert leaving(database)[0] == []


def test_what_was_taken_back_or_annotated_meanwhile_is_no_suggestion_any_more(database: Database) -> None:
    with database.write() as session:
        undone, annotated = a_task(session, 1), a_task(session, 2)
        for task in (undone, annotated):
            suggest(session, task)
            decide(session, task)
        decisions.undo(session, undone.id, reviewer="ann")
        annotate(session, annotated, a_tube(CORRECTED), number=102)
    [record], _ = leaving(database)
    assert (record.annotation_id, record.origin, record.task_id) == (102, "drawn", 2)


def test_they_come_in_order_of_their_videos_with_the_others(database: Database) -> None:
    """One video's records have to come together, whichever way they became labels."""
    with database.write() as session:
        videos = [a_video(session, content) for content in "ab"]
        for number in (1, 2, 3, 4):
            task = a_task(session, number, video=videos[number % 2])
            if number < 3:
                suggest(session, task)
                decide(session, task)
            else:
                annotate(session, task, a_tube())
    found, _ = leaving(database)
    assert [record.task_id for record in found] == [2, 4, 1, 3]


def test_filters_hold_for_them_too(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        suggest(session, task)
        decide(session, task)
    found, counts = leaving(sqlite_database, Selection(annotators=frozenset({3})))
    assert (found, counts["accepted, by no annotator"]) == ([], 1)
    found, counts = leaving(sqlite_database, Selection(until=date(2020, 1, 1)))
    assert (found, counts["outside the dates"]) == ([], 1)
    with sqlite_database.read() as session:
        assert list(records(session, Counter(), project_id=8)) == []


def test_an_acceptance_of_nothing_is_counted(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        suggest(session, task).keyframes = None
        decide(session, task)
    found, counts = leaving(sqlite_database)
    assert (found, counts["accepted as not there"]) == ([], 1)


def test_they_are_no_truth_to_evaluate_by(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        suggest(session, task)
        decide(session, task)
    with sqlite_database.read() as session:
        found = corrected_truths(session, lambda ref, sha256: ref, Counter(), project_id=None, accepted_only=False)
    assert found == []


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_every_format_takes_them(sqlite_database: Database, tmp_path: Path, form: str) -> None:
    with sqlite_database.write() as session:
        for number in (1, 2):
            task = a_task(session, number, query=f"the red box {number}")
            suggest(session, task)
            decide(session, task)
    with sqlite_database.read() as session:
        outcome = export(session, FORMATS[form], tmp_path / "out")
    assert outcome.counts["exported"] == 2
    sheet = outcome.datasheet.read_text()
    assert "accepted by a reviewer before anybody annotated" in sheet and "nobody (an accepted suggestion)" in sheet
    if form == "labelstudio":
        [path] = outcome.paths.values()
        assert len(json.loads(path.read_text())) == 2, "each task stays a task of its own"
