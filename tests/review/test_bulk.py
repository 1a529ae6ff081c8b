"""Which tasks can be accepted together, and what becomes of those that changed while the list was on the screen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy.orm import Session

from backend.db import jobs, predictions
from backend.db.engine import Database
from backend.db.tables import Annotation, Diff, Prediction, Task
from backend.db.task_state import SUGGESTED, TO_REVIEW
from backend.review import bulk, decisions
from backend.review.bulk import Shown
from backend.review.queue import QueueFilter
from tests.db.helpers import becomes
from tests.review.labelled import CORRECTED, a_correction, a_suggestion, a_task
from tests.review.labelled import SUGGESTED as TUBE

WHO = {"reviewer": "rita", "account_id": None}


def listed(session: Session, **chosen: object) -> list[int]:
    return [row.ls_task_id for row in bulk.look(session, QueueFilter(**chosen)).rows]  # type: ignore[arg-type]


@pytest.fixture
def filled(database: Database) -> Database:
    """By number: 1 and 2 suggested (.3, .1), 3 suggested (.6), 4 saved as is (.2), 5 corrected (.2), 6 saved as is, and
    then there was a newer suggestion (.05), 7 waiting."""
    with database.write() as session:
        for number, uncertainty in ((1, 0.3), (2, 0.1), (3, 0.6), (4, 0.2), (5, 0.2), (6, 0.3)):
            task = a_task(session, number)
            row = a_suggestion(session, task, uncertainty=uncertainty)
            if number >= 4:
                a_correction(session, task, row, keyframes=CORRECTED if number == 5 else TUBE)
        newer(session, session.get_one(Task, 6))
        a_task(session, 7)
    return database


def newer(session: Session, task: Task) -> None:
    """Another suggestion of the task."""
    old = session.get_one(Prediction, task.id)
    columns = ("video_id", "query", "attribute_query", "action_query", "score", "keyframes", "start_frame", "end_frame")
    more = ("evidence", "evidence_chosen", "evidence_consistency", "evidence_info")
    row = predictions.store(
        session, f"newer-{task.id}", model_version="m@2/0", region_id=f"newer-{task.id}", uncertainty=0.05,
        **{name: getattr(old, name) for name in columns + more},
    )  # fmt: skip
    job, _ = jobs.enqueue(
        session, identity=f"newer-{task.id}", task_id=task.id, video_ref=task.video_ref, query=task.query,
        model_version="m@2/0",
    )  # fmt: skip
    becomes(session, job, state="done", prediction_id=row.id)


def test_the_least_uncertain_come_first_and_only_those_below(filled: Database) -> None:
    with filled.read() as session:
        assert listed(session, state=SUGGESTED, below=0.5) == [2, 1]
        assert listed(session, state=SUGGESTED, below=0.3) == [2], "below, not up to"
        assert listed(session, state=TO_REVIEW, below=1.0) == [4], "neither a correction, nor of an older suggestion"
        assert bulk.look(session, QueueFilter(state=SUGGESTED, below=0.5)).total == 2


def test_an_object_of_its_own_that_was_changed_is_not_as_is(filled: Database) -> None:
    with filled.write() as session:
        [label] = [row for row in session.query(Annotation) if row.task_id == 4]
        session.add(Diff(annotation_id=label.id, object=1, sentence="another", change="drawn from nothing"))
        session.flush()
        assert listed(session, state=TO_REVIEW, below=1.0) == []


def shown(session: Session, state: str = SUGGESTED, below: float = 0.5) -> list[Shown]:
    rows = bulk.look(session, QueueFilter(state=state, below=below)).rows
    found = [bulk.from_text(bulk.to_text(row)) for row in rows]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("state", [SUGGESTED, TO_REVIEW])
def test_what_was_shown_is_accepted_once(filled: Database, state: str) -> None:
    with filled.read() as session:
        seen = shown(session, state)
    assert seen
    with filled.write() as session:
        rows, left_out = bulk.accept(session, seen, **WHO)  # type: ignore[arg-type]
    assert [(row.task_id, row.decision, row.annotation_id) for row in rows] == [
        (one.task_id, "accepted", one.annotation_id) for one in seen
    ]
    assert left_out == []
    with filled.write() as session:
        rows, left_out = bulk.accept(session, seen, **WHO)  # type: ignore[arg-type]
        assert rows == [] and {one.reason for one in left_out} == {"already accepted by rita"}
        assert all(len(decisions.history(session, one.task_id)) == 1 for one in seen)
        assert shown(session, state) == []


def annotated(session: Session, task: Task) -> None:
    a_correction(session, task, None)


def skipped(session: Session, task: Task) -> None:
    a_correction(session, task, None, was_cancelled=True)


def rejected(session: Session, task: Task) -> None:
    decisions.decide(session, task.id, "rejected", reason="object absent", reviewer="ann", seen=None)


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (annotated, "it changed since the list was shown"),
        (skipped, "it changed since the list was shown"),
        (newer, "it changed since the list was shown"),
        (rejected, "already rejected by ann"),
    ],
)
def test_what_happened_meanwhile_is_left_out_and_said(
    filled: Database, happens: Callable[[Session, Task], None], reason: str
) -> None:
    with filled.write() as session:
        seen = shown(session)
        happens(session, session.get_one(Task, 1))
    with filled.write() as session:
        rows, left_out = bulk.accept(session, seen, **WHO)  # type: ignore[arg-type]
    assert [row.task_id for row in rows] == [2]
    [one] = left_out
    assert (one.task_id, one.reason, one.ls_task_id, one.query) == (1, reason, 1, "the red box moves")


def test_what_was_taken_back_meanwhile_can_be_accepted(filled: Database) -> None:
    with filled.write() as session:
        seen = shown(session)
        rejected(session, session.get_one(Task, 1))
        decisions.undo(session, 1, reviewer="ann")
    with filled.write() as session:
        rows, left_out = bulk.accept(session, seen, **WHO)  # type: ignore[arg-type]
    assert sorted(row.task_id for row in rows) == [1, 2] and not left_out


def test_what_is_no_task_or_has_nothing_to_accept_is_left_out(filled: Database) -> None:
    with filled.write() as session:
        rows, left_out = bulk.accept(session, [Shown(7, None, None), Shown(99, None, None)], **WHO)  # type: ignore[arg-type]
    assert rows == [] and [one.reason for one in left_out] == ['it is "waiting" now', "there is no such task"]


def test_turns_name_each_task_once_in_one_order() -> None:
    ours = [Shown(number, None, None) for number in range(50, 0, -1)]
    turns = bulk.turns([*ours, Shown(3, 4, 5)])
    assert [len(turn) for turn in turns] == [20, 20, 10]
    assert [one for turn in turns for one in turn] == ours[::-1], "the first that was named counts"


@pytest.mark.parametrize(
    "text", ["", "1", "1:2", ":2:3", "1:2:3:4", "-1::2", "1:x:", "99999999999::", "4294967296::", "١::"]
)
def test_a_damaged_row_is_none(text: str) -> None:
    assert bulk.from_text(text) is None


def test_a_row_survives_the_form() -> None:
    assert bulk.from_text("12::7") == Shown(12, None, 7) and bulk.from_text("12:3:") == Shown(12, 3, None)
