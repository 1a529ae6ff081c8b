"""An older database gets the states that this version would have kept, on both kinds of database."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import delete, select

from backend.db import deliveries, reviews, schema, task_state
from backend.db.engine import Database
from backend.db.tables import Annotation, Delivery, Job, Task, TaskState
from backend.review import decisions
from tests.db.helpers import a_job, a_prediction, a_task, becomes
from tests.review.rows import says
from tests.review.test_decisions import a_tube, suggested

_LATER = {"said", "compared", "disagreement", "versions_compared", "versions_agree"}
"""What a migration leaves to the next change of the task, or to a worker."""


def a_history(database: Database) -> None:
    """Tasks in every state, reached on ways that leave something behind."""
    with database.write() as session:
        a_task(session, 1)
        becomes(session, a_job(session, a_task(session, 2), identity="bad"), state="failed", reason="not a video")
        suggested(session, 3, identity="p3")
        four = suggested(session, 4, identity="p4")
        decisions.decide(session, four.id, "accepted", reviewer="ann", seen=None)
        five = suggested(session, 5, identity="p5")
        decisions.decide(session, five.id, "rejected", reason="boxes loose", reviewer="ann", seen=None)
        decisions.undo(session, five.id, reviewer="bob")
        six = suggested(session, 6, identity="p6")
        first = says(session, 61, six, a_tube(), author_id=3)
        decisions.decide(session, six.id, "sent back", reason="boxes loose", reviewer="ann", seen=first.id)
        says(session, 61, six, a_tube(0.1), author_id=3)
        seven = suggested(session, 7, identity="p7")
        kept = says(session, 71, seven, a_tube(), author_id=3)
        says(session, 72, seven, a_tube(0.2), author_id=None)
        says(session, 73, seven, was_cancelled=True, author_id=4)
        gone = says(session, 74, seven, a_tube(0.3), author_id=5)
        says(session, gone.ls_annotation_id, seven, deleted=True)
        for decision in ("rejected", "accepted"):
            label = session.get_one(TaskState, seven.id).annotation_id
            decisions.decide(session, seven.id, decision, reason="boxes loose", reviewer="ann", seen=label)
        assert kept.id
        says(session, 81, a_task(session, 8), was_cancelled=True)
        nine = a_task(session, 9)
        for number, state in ((1, "done"), (2, "failed"), (3, "done")):  # the third is an annotator's own question
            job = a_job(session, nine, identity=f"nine {number}", deliver=number < 3)
            answer = a_prediction(session, identity=f"nine {number}").id if state == "done" else None
            becomes(session, job, state=state, prediction_id=answer)
        delivery = deliveries.claim(session, "somebody", seconds=60)
        assert delivery is not None


def states(database: Database) -> dict[int, dict[str, Any]]:
    with database.read() as session:
        rows = session.scalars(select(TaskState)).all()
        names = [column.name for column in TaskState.__table__.columns if column.name not in _LATER]
        return {row.task_id: {name: getattr(row, name) for name in names} for row in rows}


@pytest.mark.parametrize("revision", ["0006", "0003"])
def test_what_is_computed_by_the_migration_is_what_was_kept(database: Database, revision: str) -> None:
    a_history(database)
    before = states(database)
    assert {row["state"] for row in before.values()} == {*task_state.STATES} - {"rejected", "sent back"}
    with database.read() as session:
        current = set(session.scalars(select(Annotation.id).where(Annotation.current.is_(True))))
        told = {row.task_id: row.state for row in session.scalars(select(Delivery)) if row.kind == "decision"}
    schema.downgrade(database.engine, revision)
    schema.upgrade(database.engine)
    assert states(database) == before
    with database.write() as session:
        assert set(session.scalars(select(Annotation.id).where(Annotation.current.is_(True)))) == current
        again = {row.task_id: row.state for row in session.scalars(select(Delivery)) if row.kind == "decision"}
        assert again.keys() == told.keys() and set(again.values()) == {"pending"}, "who held one is not known any more"
        session.execute(delete(TaskState))
        task_state.refresh(session, session.scalars(select(Task.id)).all())
    assert states(database) == before, "and what is computed anew is the same"


def test_a_waiting_job_can_still_be_taken_together_with_others_of_its_video(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        a_job(session, task, identity="a")
        a_job(session, task, identity="b")
        keys = {job.video_key for job in session.scalars(select(Job))}
    schema.downgrade(database.engine, "0006")
    schema.upgrade(database.engine)
    with database.read() as session:
        assert {job.video_key for job in session.scalars(select(Job))} == keys and len(keys) == 1


def test_a_decision_in_force_is_the_newest_that_nobody_took_back(database: Database) -> None:
    with database.write() as session:
        task = suggested(session)
        label = says(session, 1, task, a_tube())
        for decision in ("accepted", "rejected"):
            decisions.decide(session, task.id, decision, reason="other", comment="c", reviewer="ann", seen=label.id)
        decisions.undo(session, task.id, reviewer="ann")
        stands = decisions.standing(session, task.id)
        assert stands is not None and stands.decision == reviews.ACCEPTED
        assert session.get_one(TaskState, task.id).decision == reviews.ACCEPTED
