"""Two model versions on one task, in exact numbers."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.db import jobs, predictions
from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.review import compare, overlays
from tests.db.helpers import becomes
from tests.review.labelled import a_suggestion, a_task

LATER = [[20, 0.20, 0.20, 0.40, 0.50], [49, 0.49, 0.20, 0.69, 0.50]]


def another(session: Session, task: Task, like: Prediction, version: str, **values: Any) -> Prediction:
    """What another version answered to the task's question; ``deliver=False`` for a question of an annotator's own."""
    deliver = values.pop("deliver", True)
    columns = {c.name: getattr(like, c.name) for c in Prediction.__table__.columns if c.name not in ("id", "identity")}
    row = predictions.store(session, f"{version}-{task.id}", **{**columns, "model_version": version, **values})
    job, _ = jobs.enqueue(
        session, identity=f"{version}-{task.id}", task_id=task.id, video_ref=task.video_ref, query=task.query,
        model_version=version, deliver=deliver,
    )  # fmt: skip
    becomes(session, job, state="done", prediction_id=row.id)
    return row


def two(session: Session, **values: Any) -> Task:
    task = a_task(session, 11)
    first = a_suggestion(session, task)
    given = {"keyframes": LATER, "start_frame": 20, "end_frame": 49, "score": 0.9, "uncertainty": None}
    another(session, task, first, "m@2/0", **{**given, **values})
    return task


def test_one_version_is_not_compared(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        assert compare.look(session, task.id) is None
        a_suggestion(session, task)
        assert compare.look(session, task.id) is None


def test_two_versions_in_numbers(database: Database) -> None:
    with database.write() as session:
        task = two(session)
        found = compare.look(session, task.id)
    assert found is not None
    assert found.known == ("m@2/0", "m@1/0") and found.problem is None
    assert found.a == compare.Side("m@2/0", 0.9, None, 20, 49)
    assert found.b == compare.Side("m@1/0", 0.7, 0.4, 10, 40)
    assert (found.start_shift, found.end_shift) == (-10, -9)
    assert found.tiou == pytest.approx(21 / 40)
    assert found.viou is not None and found.viou == pytest.approx(21 / 40, abs=1e-3), "the same boxes where both are"


def test_both_tubes_are_drawn_and_where_they_differ(database: Database) -> None:
    with database.write() as session:
        task = two(session)
        drawn = overlays.look(session, task.id)
    assert drawn is not None
    assert [(tube["name"], tube["title"], tube["intervals"]) for tube in drawn["tubes"]][1:] == [
        ("version-a", "A: m@2/0", [[20, 49]]), ("version-b", "B: m@1/0", [[10, 40]]),
    ]  # fmt: skip
    assert drawn["apart"] == [{"whose": "versions", "stretches": [[10, 19, "alone"], [41, 49, "alone"]]}]


def test_a_version_that_suggests_nothing(database: Database) -> None:
    with database.write() as session:
        task = two(session, keyframes=None, start_frame=None, end_frame=None, score=0.0)
        found, drawn = compare.look(session, task.id), overlays.look(session, task.id)
    assert found is not None and drawn is not None
    assert (found.tiou, found.viou, found.start_shift, found.end_shift) == (None, None, None, None)
    assert drawn["apart"] == [{"whose": "versions", "stretches": [[10, 40, "alone"]]}]


def test_two_are_chosen_by_name(database: Database) -> None:
    with database.write() as session:
        task = two(session)
        like = compare.of_versions(session, task.id)[0]
        another(session, task, like, "m@3/0")
        newest = compare.look(session, task.id)
        chosen = compare.look(session, task.id, "m@1/0", "m@3/0")
        one = compare.look(session, task.id, None, "m@3/0")
        same = compare.look(session, task.id, "m@1/0", "m@1/0")
        wrong = compare.look(session, task.id, "m@1/0", "m@9/0")
        drawn = overlays.look(session, task.id, ("m@1/0", "m@3/0"))
    assert newest and chosen and one and same and wrong and drawn
    names = [(found.a.model_version, found.b.model_version) for found in (newest, chosen, one, same, wrong)]
    assert names == [
        ("m@3/0", "m@2/0"), ("m@1/0", "m@3/0"), ("m@2/0", "m@3/0"), ("m@1/0", "m@3/0"), ("m@3/0", "m@2/0"),
    ]  # fmt: skip
    assert same.problem == "Choose two different versions to compare them."
    assert wrong.problem == "This task has no suggestion of m@9/0 to compare."
    assert [tube["title"] for tube in drawn["tubes"]][1:] == ["A: m@1/0", "B: m@3/0"]


def test_answers_to_other_questions_are_left_out(database: Database) -> None:
    with database.write() as session:
        task = a_task(session, 11)
        first = a_suggestion(session, task)
        another(session, task, first, "asked", deliver=False)
        another(session, task, first, "part", evidence_info={**first.evidence_info, "segment": [0, 9]})
        assert [row.model_version for row in compare.of_versions(session, task.id)] == ["part"]
        another(session, task, first, "whole")
        assert [row.model_version for row in compare.of_versions(session, task.id)] == ["whole", "m@1/0"]
        another(session, task, first, "older sentence", query="the blue box moves")
        assert [row.model_version for row in compare.of_versions(session, task.id)] == ["older sentence"]
