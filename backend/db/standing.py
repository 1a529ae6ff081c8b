"""Where does every task stand? The columns of ``task_state`` as one SELECT."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from sqlalchemy import Subquery, case, func, null, select

from backend.db.tables import Annotation, Job, TaskState
from backend.db.task_state import FAILED, SKIPPED, SUGGESTED, TO_REVIEW, WAITING

__all__ = ["FAILED", "SKIPPED", "SUGGESTED", "TO_REVIEW", "WAITING", "counting", "counting_of", "standing"]


@lru_cache(maxsize=1)
def counting() -> Subquery:
    """The version that counts of each annotation."""
    moment = func.coalesce(Annotation.ls_updated_at, Annotation.received_at).label("moment")
    columns = Annotation.ls_annotation_id, Annotation.task_id, Annotation.author_id, Annotation.was_cancelled, moment
    query = select(Annotation.id.label("annotation_id"), *columns)
    return query.where(Annotation.current.is_(True), Annotation.task_id.is_not(None)).subquery("counting")


def counting_of(task_ids: Sequence[int]) -> Subquery:
    """The same for a few tasks (our rows)."""
    rows = counting()
    return select(rows).where(rows.c.task_id.in_(task_ids)).subquery("counting_of")


@lru_cache(maxsize=1)
def standing() -> Subquery:
    """One row per task."""
    reason = case((TaskState.state == FAILED, Job.reason), else_=null()).label("failure")
    query = select(
        TaskState.task_id, TaskState.project_id, TaskState.prediction_id, TaskState.model_version,
        TaskState.uncertainty, reason, TaskState.annotation_id, TaskState.author_id, TaskState.people,
        TaskState.review_id, TaskState.since.label("waiting_since"), TaskState.state,
    ).outerjoin(Job, Job.id == TaskState.job_id)  # fmt: skip
    return query.subquery("standing")
