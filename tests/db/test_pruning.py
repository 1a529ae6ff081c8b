"""What may be removed, and what stays whatever the retention."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from backend.db import annotations, events, pruning, task_state
from backend.db.engine import Database
from backend.db.tables import Annotation, Event, Job, Prediction, TaskState
from backend.db.types import now
from tests.db.helpers import a_job, a_prediction, a_task, becomes

LONG_AGO = now() - timedelta(days=40)
BEFORE = now() - timedelta(days=30)


@pytest.fixture(autouse=True)
def _short_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PAGE", 2)


def test_bodies_go_but_not_those_of_annotations_that_count(database: Database) -> None:
    with database.write() as session:
        for number in range(7):
            events.store(session, b"body %d" % number, action="X", project_id=1)
        rows = session.scalars(select(Event).order_by(Event.id)).all()
        for row, state in zip(
            rows, ("done", "done", "ignored", "failed", "unknown_project", "new", "done"), strict=True
        ):
            row.state, row.processed_at = state, LONG_AGO
        rows[6].processed_at = now()
        task = a_task(session)
        for row, saved in zip(rows[:2], (2, 1), strict=True):  # the first version was saved last: it counts
            annotations.add_version(
                session, digest=f"d{row.id}", ls_annotation_id=8, task_id=task.id, event_id=row.id,
                ls_updated_at=LONG_AGO + timedelta(hours=saved),
            )  # fmt: skip
    assert pruning.count_bodies(database, BEFORE) == 2
    assert pruning.drop_bodies(database, BEFORE) == 2 and pruning.drop_bodies(database, BEFORE) == 0
    with database.read() as session:
        kept = [row.body for row in session.scalars(select(Event).order_by(Event.id))]
        assert len(session.scalars(select(Annotation)).all()) == 2
    assert kept == [b"body 0", b"", b"", b"body 3", b"body 4", b"body 5", b"body 6"]
    with database.write() as session:
        assert not events.store(session, b"body 1", action="X", project_id=1), "the same body is still known"


def test_old_jobs_go_but_not_those_that_stand_for_their_task(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        first, second = a_prediction(session, identity="p1"), a_prediction(session, identity="p2")
        done = {"state": "done", "finished_at": LONG_AGO}
        for identity, prediction in (("replaced", first), ("suggested", second)):
            becomes(session, a_job(session, task, identity=identity), **done, prediction_id=prediction.id)
        becomes(session, a_job(session, task, identity="newest"), state="failed", finished_at=LONG_AGO)
        for name, values in {
            "asked": {**done, "prediction_id": first.id},
            "of a box": {**done, "prediction_id": first.id, "prompt": {"frame": 1, "box": [0, 0, 1, 1]}},
            "without": done,
            "young": {**done, "prediction_id": first.id, "finished_at": now()},
        }.items():
            becomes(session, a_job(session, task, identity=name, deliver=False), **values)
        before = session.get_one(TaskState, task.id)
        assert before.prediction_id == second.id
        stands = before.state, before.job_id, before.prediction_id
    assert pruning.count_jobs(database, BEFORE) == 2 == pruning.drop_jobs(database, BEFORE)
    with database.write() as session:
        left = session.scalars(select(Job.identity).order_by(Job.id)).all()
        assert left == ["suggested", "newest", "of a box", "without", "young"]
        assert len(session.scalars(select(Prediction.id)).all()) == 2
        task_state.refresh(session, [task.id])
        after = session.get_one(TaskState, task.id)
        assert (after.state, after.job_id, after.prediction_id) == stands
    assert pruning.drop_jobs(database, BEFORE) == 0
