"""Diffs in both databases: computed once, from the version's own row, its prediction and its interface."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from backend.db import diffs
from backend.db.engine import Database
from backend.db.tables import Annotation, Diff
from backend.review import diff, recording
from backend.review.drawn_tube import Drawn, keyframes
from stvg_core.keyframes import expand
from tests.db.helpers import a_prediction, a_task
from tests.review.rows import says
from tests.review.tubes import whole


def test_a_diff_is_stored_once_with_all_its_numbers(database: Database) -> None:
    with database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        suggested = expand(keyframes(prediction.keyframes or []))
        shorter = Drawn.whole(type(suggested)(2, suggested.boxes[:-3]))
        row = says(session, 5, task, shorter, prediction=prediction)
        assert recording.record(session, row) and not recording.record(session, row)
    with database.read() as session:
        stored = diffs.find(session, row.id)
        assert stored is not None and session.scalar(select(func.count()).select_from(Diff)) == 1
        assert (stored.change, stored.region_id, stored.prediction_id) == (diff.ENDS, "r0", prediction.id)
        assert (stored.start_shift, stored.end_shift, stored.first_frame) == (0, -3, 2)
        assert stored.tiou == pytest.approx(5 / 8) and stored.viou == pytest.approx(5 / 8, abs=1e-3)
        assert (stored.edits, stored.edits_from_nothing) == (1, 2)
        assert stored.frame_ious is not None
        assert diff.unpack(stored.frame_ious).round(2).tolist() == [1, 1, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("values", "drawn", "suggested", "change"),
    [
        ({"deleted": True}, (), True, diff.DELETED),
        ({"was_cancelled": True}, (whole(2, 9),), True, diff.SKIPPED),
        ({"problem": "no VideoRectangle"}, (), True, diff.UNREADABLE),
        ({"result": [{"type": "videorectangle", "value": {"sequence": [{"frame": 1}]}}]}, (), True, diff.UNREADABLE),
        ({}, (), True, diff.REJECTED),
        ({}, (), False, diff.EMPTY),
        ({}, (whole(2, 9),), False, diff.DRAWN),
        ({}, (whole(2, 9, x=0.8),), True, diff.OTHER),
    ],
)
def test_versions_of_every_kind(
    sqlite_database: Database, values: dict[str, object], drawn: tuple[Drawn, ...], suggested: bool, change: str
) -> None:
    with sqlite_database.write() as session:
        prediction = a_prediction(session) if suggested else None
        assert (
            recording.of_annotation(says(session, 5, a_task(session), *drawn, prediction=prediction, **values)).change
            == change
        )


@pytest.mark.parametrize(
    ("verdict", "change"), [("absent", diff.REJECTED), ("correct", diff.ACCEPTED), (None, diff.ACCEPTED)]
)
def test_a_verdict_against_what_was_left(sqlite_database: Database, verdict: str | None, change: str) -> None:
    with sqlite_database.write() as session:
        prediction = a_prediction(session)
        same = Drawn.whole(expand(keyframes(prediction.keyframes or [])))
        row = says(session, 5, a_task(session), same, prediction=prediction, verdict=verdict)
        assert recording.of_annotation(row).change == change


def test_missing_diffs_are_computed_page_by_page_and_only_once(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "_PAGE", 3)
    with database.write() as session:
        tasks = [a_task(session, 11), a_task(session, 12, project=2)]
        for number in range(8):
            says(session, number, tasks[number % 2], whole(0, 9))
        orphan = Annotation(digest="o", ls_annotation_id=99, version=1, deleted=True)
        session.add(orphan)
    assert recording.record_missing(database, project_id=2) == 4
    assert recording.record_missing(database) == 5 and recording.record_missing(database) == 0
    with database.read() as session:
        assert len(diffs.by_annotation(session)) == 9 and len(diffs.by_annotation(session, project_id=1)) == 4


def test_what_counts_now_is_compared_even_where_no_diff_is_stored(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = a_task(session)
        recording.record(session, says(session, 1, task, whole(0, 9)))
        says(session, 2, task)
        says(session, 2, task, whole(0, 19, step=0.01))
    with sqlite_database.read() as session:
        found = recording.current(session, project_id=1)
        assert [(row.ls_annotation_id, row.version, entry.edits) for row, entry in found] == [(1, 1, 2), (2, 2, 2)]
        assert session.scalar(select(func.count()).select_from(Diff)) == 1


def test_walking_is_the_same_a_page_at_a_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "_WALKED", 2)
    with database.write() as session:
        for number in range(1, 6):
            task = a_task(session, number, project=1 + number % 2)
            row = says(session, number, task, whole(0, number))
            if number % 3:
                recording.record(session, row)
        says(session, 2, task, whole(0, 1))
        says(session, 3, task, deleted=True)
    with database.read() as session:
        for project in (None, 1, 2):
            every = {(row.id, found.edits) for row, found in recording.current(session, project_id=project)}
            walked = [(row.id, found.edits) for row, found in recording.walk(session, project_id=project)]
            assert len(walked) == len(every) and set(walked) == every and walked == sorted(walked)
