"""What suggestions save, over corrections in a database and over a dataset."""

from __future__ import annotations

from collections import Counter

import pytest

from backend.db.engine import Database
from backend.review import diff
from backend.review.drawn_tube import Drawn, keyframes
from backend.review.effort import Case, by_change, dataset_cases, stored_cases, summarise, total
from stvg_core.keyframes import expand
from stvg_core.tube import Tube
from tests.db.helpers import a_prediction, a_task
from tests.review.rows import says
from tests.review.tubes import moving, whole


def test_medians_and_the_share_of_the_sums() -> None:
    cases = [Case(diff.ACCEPTED, 0, 6, True, 4.0), Case(diff.ENDS, 1, 2, True), Case(diff.BOXES, 5, 4, True, 8.0)]
    row = summarise(cases)
    assert (row.n, row.median_with, row.median_without, row.n_lead_times) == (3, 1, 4, 2)
    assert row.saved == pytest.approx(0.5) and row.median_lead_time_s == 6
    worse = summarise([Case(diff.OTHER, 3, 2, True)])
    assert worse.saved == -0.5, "a suggestion that costs is not hidden"
    nothing = summarise([Case(diff.REJECTED, 1, 0, True)])
    assert nothing.saved is None and nothing.median_lead_time_s is None and summarise([]).median_with is None


def test_the_total_leaves_out_what_no_model_was_asked_for() -> None:
    cases = [Case(diff.ACCEPTED, 0, 3, True), Case(diff.DRAWN, 9, 9, False), Case(diff.DRAWN, 3, 3, True)]
    assert total(cases).n == 2 and total(cases).saved == 0.5
    assert {change: row.n for change, row in by_change(cases).items()} == {diff.ACCEPTED: 1, diff.DRAWN: 2}


def test_each_annotation_counts_once_by_its_last_version(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        same = Drawn.whole(expand(keyframes(prediction.keyframes or [])))
        says(session, 1, task, whole(0, 9, x=0.7), prediction=prediction)
        says(session, 1, task, same, prediction=prediction, lead_time_s=3.5)
        says(session, 2, task, prediction=prediction)
        says(session, 3, task, same, was_cancelled=True)
        says(session, 4, task, same, prediction=prediction)
        says(session, 4, task, deleted=True)
        says(session, 5, a_task(session, 12, project=2), same)
    left_out: Counter[str] = Counter()
    with sqlite_database.read() as session:
        cases = stored_cases(session, left_out, project_id=1)
        assert len(stored_cases(session, Counter())) == 3
    assert [(c.change, c.edits, c.edits_from_nothing, c.lead_time_s) for c in cases] == [
        (diff.ACCEPTED, 0, 2, 3.5),
        (diff.REJECTED, 1, 0, None),
    ]
    assert left_out == {diff.SKIPPED: 1}


def test_a_dataset_is_corrected_as_an_annotator_would() -> None:
    truth: dict[str, Tube] = {"a": moving(0, 20, step=0.01), "b": moving(0, 20, step=0.01), "c": moving(0, 20)}
    predicted = {"a": moving(0, 20, step=0.01), "b": moving(0, 15, step=0.01)}
    assert [(case.change, case.edits, case.edits_from_nothing) for case in dataset_cases(truth, predicted)] == [
        (diff.ACCEPTED, 0, 2),
        (diff.ENDS, 2, 2),
        (diff.DRAWN, 2, 2),
    ]
