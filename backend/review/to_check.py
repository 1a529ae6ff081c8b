"""The frames to check first (``backend.review.next_frame``) of stored suggestions."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from backend.db.tables import Prediction, TaskState
from backend.review.next_frame import Doubt, doubts
from backend.review.suggestion import read_evidence, tube_of

AT_ONCE = 100
"""Evidence is some tens of KB: so many are in memory at a time."""


def first_of_tasks(session: Session, task_ids: Sequence[int]) -> dict[int, Doubt]:
    """The frame to check first of each task's newest suggestion; tasks without one are left out. For a page of them."""
    query = (
        select(TaskState.task_id, Prediction)
        .join(Prediction, Prediction.id == TaskState.prediction_id)
        .where(TaskState.task_id.in_(task_ids))
        .options(undefer(Prediction.evidence))
    )
    found = {task_id: doubts(tube_of(row), read_evidence(row)) for task_id, row in session.execute(query).tuples()}
    return {task_id: named[0] for task_id, named in found.items() if named}
