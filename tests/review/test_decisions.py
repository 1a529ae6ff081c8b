"""Decisions: about one version, never overwritten, and what stops them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sqlalchemy.orm import Session

from backend.db import task_state as states
from backend.db.engine import Database
from backend.db.tables import Task
from backend.review import decisions
from backend.review.decisions import ACCEPTED, REJECTED, SENT_BACK, SENT_ON, DecisionError, decide
from backend.review.drawn_tube import Drawn
from stvg_core.tube import Tube
from tests.db.helpers import a_job, a_prediction, a_task, becomes
from tests.review.rows import says


def a_tube(shift: float = 0.0) -> Drawn:
    return Drawn.whole(Tube(2, np.tile(np.array([0.1 + shift, 0.1, 0.4 + shift, 0.4]), (8, 1))))


def suggested(session: Session, number: int = 11, *, identity: str = "p", project: int = 1) -> Task:
    """A task with an answered job."""
    task = a_task(session, number, project=project)
    job = a_job(session, task, identity=f"job {identity}")
    becomes(session, job, state="done", prediction_id=a_prediction(session, identity=identity).id)
    session.flush()
    return task


def state(session: Session, task: Task) -> str:
    """As the queue has it; it must say what the decisions say."""
    row = states.of_task(session, task.id)
    stands = decisions.standing(session, task.id)
    assert row is not None and row.review_id == (None if stands is None else stands.id)
    return row.state


def judge(session: Session, task: Task, decision: str, seen: int | None, **values: Any) -> None:
    given = {"reason": None if decision == ACCEPTED else "boxes loose", "reviewer": "ann", **values}
    decide(session, task.id, decision, seen=seen, **given)


def test_a_task_goes_through_its_states(database: Database) -> None:
    with database.write() as session:
        task = a_task(session)
        assert state(session, task) == states.WAITING
        job = a_job(session, task)
        becomes(session, job, state="failed", reason="not a video")
        assert state(session, task) == states.FAILED
        suggested(session)
        assert state(session, task) == states.SUGGESTED
        judge(session, task, ACCEPTED, None)
        assert state(session, task) == ACCEPTED
        skip = says(session, 1, task, was_cancelled=True)
        assert state(session, task) == states.SKIPPED
        judge(session, task, SENT_BACK, skip.id)
        assert state(session, task) == SENT_BACK
        first = says(session, 1, task, a_tube())
        assert state(session, task) == states.TO_REVIEW, "a newer version is nobody's yet"
        for decision in (REJECTED, SENT_BACK, ACCEPTED):
            judge(session, task, decision, first.id)
            assert state(session, task) == decision
        judge(session, task, SENT_ON, first.id)
        assert state(session, task) == SENT_BACK, "to somebody else is sent back too"
        says(session, 1, task, a_tube(0.1))
        assert state(session, task) == states.TO_REVIEW


def test_a_skip_behind_a_label_does_not_stand_for_the_task(database: Database) -> None:
    with database.write() as session:
        task = suggested(session)
        label = says(session, 1, task, a_tube(), author_id=3)
        says(session, 2, task, was_cancelled=True, author_id=4)
        judge(session, task, ACCEPTED, label.id)
        assert state(session, task) == ACCEPTED


def test_a_deleted_annotation_gives_way_to_the_one_before(database: Database) -> None:
    with database.write() as session:
        task = suggested(session)
        first = says(session, 1, task, a_tube(), author_id=3)
        judge(session, task, ACCEPTED, first.id)
        says(session, 2, task, a_tube(0.1), author_id=4)
        assert state(session, task) == states.TO_REVIEW
        says(session, 2, task, deleted=True)
        assert state(session, task) == ACCEPTED, "the decision about the version that stands again"


def test_another_suggestion_makes_an_early_decision_void(database: Database) -> None:
    with database.write() as session:
        task = suggested(session)
        judge(session, task, REJECTED, None)
        suggested(session, identity="newer")
        assert state(session, task) == states.SUGGESTED


def test_undoing_brings_back_what_stood_before(database: Database) -> None:
    with database.write() as session:
        task = suggested(session)
        label = says(session, 1, task, a_tube())
        judge(session, task, ACCEPTED, label.id)
        judge(session, task, REJECTED, label.id)
        undone = decisions.undo(session, task.id, reviewer="bob", account_id=None)
        assert state(session, task) == ACCEPTED and undone.undoes_id == 2
        decisions.undo(session, task.id, reviewer="bob", account_id=None)
        assert state(session, task) == states.TO_REVIEW
        with pytest.raises(DecisionError, match="nothing to undo"):
            decisions.undo(session, task.id, reviewer="bob", account_id=None)
        rows = decisions.history(session, task.id)
        assert [row.decision for row in rows] == ["accepted", "rejected", "undone", "undone"], "nothing is overwritten"


@pytest.mark.parametrize(
    ("decision", "values", "message"),
    [
        ("maybe", {}, "one of"),
        (REJECTED, {"reason": None}, "To reject, choose a reason"),
        (SENT_BACK, {"reason": ""}, "To send back, choose a reason"),
        (SENT_ON, {"reason": ""}, "To send to another, choose a reason"),
        (SENT_BACK, {"reason": "ugly"}, "The reason is one of"),
        (REJECTED, {"reason": "other", "comment": " "}, "needs a comment"),
        (ACCEPTED, {"comment": "x" * 2001}, "2001 characters. Shorten it to 2000"),
        (ACCEPTED, {"seen": None}, "changed meanwhile"),
        (ACCEPTED, {"seen": 99}, "changed meanwhile"),
    ],
)
def test_what_stops_a_decision(sqlite_database: Database, decision: str, values: dict[str, Any], message: str) -> None:
    with sqlite_database.write() as session:
        task = suggested(session)
        label = says(session, 1, task, a_tube())
        with pytest.raises(DecisionError, match=message):
            judge(session, task, decision, **{"seen": label.id, **values})
        assert not decisions.history(session, task.id)


def test_there_must_be_something_to_decide(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        with pytest.raises(DecisionError, match="neither a suggestion nor an annotation"):
            judge(session, a_task(session), ACCEPTED, None)
        with pytest.raises(DecisionError, match="no such task"):
            decide(session, 99, ACCEPTED, reviewer="ann", seen=None)


def test_a_decision_keeps_what_was_said(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        task = suggested(session)
        label = says(session, 1, task, a_tube())
        row = decide(
            session, task.id, ACCEPTED, reason="boxes loose", comment=" good\x00 ", reviewer="ann", seen=label.id
        )
        assert (row.reason, row.comment, row.annotation_id, row.prediction_id) == (None, "good", label.id, 1)
