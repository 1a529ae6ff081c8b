"""Which annotation of a task becomes its label."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from sqlalchemy.orm import Session

from backend.db import annotations
from backend.db.engine import Database
from backend.export.record import Record
from backend.export.records import records
from tests.export.rows import CORRECTED, PROPOSED, a_prediction, a_task, a_tube, annotate


def read(database: Database, project_id: int | None = None) -> tuple[list[Record], Counter[str]]:
    counts: Counter[str] = Counter()
    with database.read() as session:
        return list(records(session, counts, project_id=project_id)), counts


def test_an_accepted_and_a_corrected_proposal(database: Database) -> None:
    with database.write() as session:
        for number, tube in ((1, PROPOSED), (2, CORRECTED)):
            task = a_task(session, number)
            annotate(session, task, a_tube(tube), prediction=a_prediction(session, task), verdict="correct")
    found, counts = read(database)
    assert [(r.task_id, r.origin) for r in found] == [(1, "accepted"), (2, "corrected")]
    assert counts == Counter({"exported": 2, "accepted": 1, "corrected": 1})
    first = found[0]
    assert (first.project_id, first.annotation_id, first.author_id, first.label) == (7, 101, 3, "Target")
    assert (first.tube.start_frame, first.tube.end_frame, first.intervals) == (2, 9, ((2, 9),))
    np.testing.assert_allclose(first.tube.boxes[-1], [0.3, 0.1, 0.6, 0.4], atol=1e-6)
    assert (first.video.width, first.video.fps, first.query) == (320, 25.0, "the red box")


def test_the_version_that_was_saved_last_counts_not_the_one_that_arrived_last(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, a_tube(CORRECTED), minute=5)
        annotate(session, task, a_tube(PROPOSED), minute=1)
    [found], _ = read(database)
    assert found.tube.start_frame == CORRECTED[0][0]


def test_of_several_people_the_last_to_save_counts(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, a_tube(PROPOSED), number=201, minute=1)
        annotate(session, task, a_tube(CORRECTED), number=202, minute=2)
        annotate(session, task, number=203, minute=3, was_cancelled=True)
    [found], counts = read(database)
    assert found.annotation_id == 202 and counts["exported"] == 1


def cancelled(session: Session) -> None:
    annotate(session, a_task(session), was_cancelled=True)


def skipped_after_labelling(session: Session) -> None:
    task = a_task(session)
    annotate(session, task, a_tube(), minute=1)
    annotate(session, task, a_tube(), minute=2, was_cancelled=True)


def judged_wrong(session: Session) -> None:
    task = a_task(session)
    annotate(session, task, a_tube(), prediction=a_prediction(session, task), verdict="wrong object")


def without_box(session: Session) -> None:
    annotate(session, a_task(session))


def unreadable(session: Session) -> None:
    annotate(session, a_task(session), problem="The labelling interface has no place for a tube.")


def longer_than_the_video(session: Session) -> None:
    annotate(session, a_task(session), a_tube([[40, 0.1, 0.1, 0.4, 0.4], [50, 0.3, 0.1, 0.6, 0.4]]))


def of_an_unknown_video(session: Session) -> None:
    task = a_task(session)
    task.video_id = None
    annotate(session, task, a_tube())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (cancelled, "skipped by the annotator"),
        (skipped_after_labelling, "skipped by the annotator"),
        (judged_wrong, "judged wrong and not corrected"),
        (without_box, "no box drawn"),
        (unreadable, "annotation unreadable"),
        (longer_than_the_video, "annotation unreadable"),
        (of_an_unknown_video, "video never read"),
    ],
)
def test_what_is_no_label_is_counted(database: Database, make: Callable[[Session], None], reason: str) -> None:
    with database.write() as session:
        make(session)
    assert read(database) == ([], {reason: 1})


def test_a_proposal_that_was_judged_wrong_and_corrected_is_a_label(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, a_tube(CORRECTED), prediction=a_prediction(session, task), verdict="wrong time")
    [found], _ = read(database)
    assert (found.origin, found.verdict) == ("corrected", "wrong time")


@pytest.mark.parametrize("task_known", [True, False])
def test_a_deleted_annotation_is_gone(database: Database, task_known: bool) -> None:
    with database.write() as session:
        task = a_task(session)
        annotate(session, task, a_tube())
        # Of a deletion Label Studio tells nothing but the number.
        annotations.add_version(
            session, digest="gone", ls_annotation_id=101, deleted=True, task_id=task.id if task_known else None
        )
    assert read(database, project_id=7) == ([], {})


def test_a_box_drawn_from_nothing(database: Database) -> None:
    with database.write() as session:
        annotate(session, a_task(session), a_tube(label=None))
    [found], counts = read(database)
    assert (found.origin, found.label, counts["drawn"]) == ("drawn", None, 1)


def test_of_several_boxes_the_target_is_the_label(database: Database) -> None:
    long = a_tube([[0, 0.1, 0.1, 0.4, 0.4], [49, 0.3, 0.1, 0.6, 0.4]], label="Other", region="r1")
    with database.write() as session:
        labelled, proposed = a_task(session, 1), a_task(session, 2)
        annotate(session, labelled, long, a_tube(label="Target", region="r2"))
        own = a_tube(label="Other", region="tube-2")
        annotate(session, proposed, long, own, prediction=a_prediction(session, proposed))
    found, _ = read(database)
    assert [len(record.tube.boxes) for record in found] == [8, 8]


def test_what_the_reader_marked_is_counted(database: Database) -> None:
    marked = {"target": True, "marks": [{"mark": "held", "frames": [8, 9]}, {"mark": "disagree", "frames": [2, 9]}]}
    with database.write() as session:
        annotate(session, a_task(session, 1), a_tube() | marked)
        annotate(session, a_task(session, 2), a_tube())
    found, counts = read(database)
    assert [record.marks for record in found] == [("held", "disagree"), ()]
    assert (counts["held"], counts["disagree"], counts["exported"]) == (1, 1, 2)


def test_one_project_only(database: Database) -> None:
    with database.write() as session:
        for project in (7, 8):
            annotate(session, a_task(session, project, project=project), a_tube())
    assert [r.project_id for r in read(database)[0]] == [7, 8]
    assert [r.project_id for r in read(database, project_id=8)[0]] == [8]


def test_writes_in_the_meantime_change_nothing(database: Database) -> None:
    with database.write() as session:
        for number in range(1, 6):
            annotate(session, a_task(session, number), a_tube())
    counts: Counter[str] = Counter()
    with database.read() as session:
        stream = records(session, counts)
        next(stream)
        with database.write() as writing:
            annotate(writing, a_task(writing, 5), a_tube(CORRECTED), minute=9)
            annotate(writing, a_task(writing, 6), a_tube())
        rest = list(stream)
    assert [record.task_id for record in rest] == [2, 3, 4, 5]
    assert rest[-1].tube.start_frame == PROPOSED[0][0]
