"""How many tasks has no person labelled, and how do they stand?"""

from __future__ import annotations

from collections import Counter

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db.tables import TaskState
from backend.db.task_state import ACCEPTED, REJECTED, SENT_BACK, SUGGESTED
from backend.db.task_state import FAILED as FAILED_STATE

NOT_LOOKED_AT = "suggested, but nobody has looked at it yet"
ACCEPTED_SUGGESTION = "suggestion accepted by a reviewer"
FAILED = "no suggestion: its job failed"
WAITING = "no suggestion yet"
LABELLED = "a person has spoken about it (annotation or skip)"
_REASONS = {
    ACCEPTED: ACCEPTED_SUGGESTION,
    REJECTED: "suggestion rejected by a reviewer",
    SENT_BACK: "suggestion sent back by a reviewer",
    SUGGESTED: NOT_LOOKED_AT,
    FAILED_STATE: FAILED,
}


def count_unlabelled(session: Session, project_id: int | None) -> Counter[str]:
    """How many of the tasks without an annotation stand how; :data:`LABELLED` counts the others.

    Suggestions that a reviewer accepted are counted too, under :data:`ACCEPTED_SUGGESTION`.
    """
    labelled = TaskState.annotation_id.is_not(None)
    query = select(TaskState.state, labelled, func.count()).group_by(TaskState.state, labelled)
    if project_id is not None:
        query = query.where(TaskState.project_id == project_id)
    counts: Counter[str] = Counter({LABELLED: 0})
    for state, spoken, number in session.execute(query):
        counts[LABELLED if spoken else _REASONS.get(state, WAITING)] += number
    return counts
