"""Which tasks has no person labelled, and how does each of them stand? One statement, for a project or for all.

It reads each table once and then looks rows up by their key. On SQLite, joins of larger subqueries are run as loops
over loops, so facts about a task come together by grouping, and what follows are outer joins, whose order is kept.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import CTE, Integer, Select, case, cast, func, literal, null, select, union_all
from sqlalchemy.orm import Session, aliased

from backend.db.reviews import ACCEPTED, REJECTED, SENT_BACK, UNDONE
from backend.db.tables import Annotation, Job, Review, Task

NOT_LOOKED_AT = "suggested, but nobody has looked at it yet"
ACCEPTED_SUGGESTION = "suggestion accepted by a reviewer"
_REASONS = {
    ACCEPTED: ACCEPTED_SUGGESTION,
    REJECTED: "suggestion rejected by a reviewer",
    SENT_BACK: "suggestion sent back by a reviewer",
}
FAILED = "no suggestion: its job failed"
WAITING = "no suggestion yet"
LABELLED = "a person has spoken about it (annotation or skip)"


def unlabelled(project_id: int | None) -> CTE:
    """One row per task that has no annotation but deleted ones.

    Columns: task_id (our row), job_id and prediction_id (its newest suggestion), review_id (the decision in force about
    that suggestion), newest_id (its newest job). All but the first may be null.
    """
    facts = _facts(project_id)
    job, undoing = aliased(Job), aliased(Review)
    taken_back = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    decided = (
        select(func.max(Review.id))
        .where(
            Review.task_id == facts.c.task_id,
            Review.prediction_id == job.prediction_id,
            Review.annotation_id.is_(None),
            Review.decision != UNDONE,
            Review.id.not_in(taken_back),
        )
        .correlate(facts, job)
        .scalar_subquery()
    )
    found = (
        select(facts.c.task_id, facts.c.newest_id, job.id.label("job_id"), job.prediction_id)
        .add_columns(decided.label("review_id"))
        .select_from(facts)
        .outerjoin(job, job.id == facts.c.answered_id)
    )
    return found.cte("unlabelled").prefix_with("MATERIALIZED")


def _facts(project_id: int | None) -> CTE:
    """task_id, newest_id (job), answered_id (the newest job with a suggestion), of tasks without an annotation."""
    nothing = cast(null(), Integer)
    answered = case(((Job.state == "done") & Job.prediction_id.is_not(None), Job.id))
    tombstone = aliased(Annotation)
    gone = select(tombstone.ls_annotation_id).where(tombstone.deleted.is_(True))
    asked = select(Job.task_id, Job.id, answered, literal(0)).where(Job.deliver.is_(True))
    spoken = select(Annotation.task_id, nothing, nothing, literal(1)).where(
        Annotation.task_id.is_not(None), Annotation.ls_annotation_id.not_in(gone)
    )
    names = (Task.id.label("task_id"), nothing.label("newest"), nothing.label("answered"), literal(0).label("spoken"))
    known = select(*names)
    if project_id is not None:
        mine = select(Task.id).where(Task.project_id == project_id)
        known = known.where(Task.project_id == project_id)
        asked, spoken = asked.where(Job.task_id.in_(mine)), spoken.where(Annotation.task_id.in_(mine))
    rows = union_all(known, asked, spoken).subquery("known")
    grouped = (
        select(
            rows.c.task_id,
            func.max(rows.c.newest).label("newest_id"),
            func.max(rows.c.answered).label("answered_id"),
        )
        .group_by(rows.c.task_id)
        .having(func.max(rows.c.spoken) == 0)
    )
    return grouped.cte("facts").prefix_with("MATERIALIZED")


def count_unlabelled(session: Session, project_id: int | None) -> Counter[str]:
    """How many of the tasks without an annotation stand how; :data:`LABELLED` counts the others.

    Suggestions that a reviewer accepted are counted too, under :data:`ACCEPTED_SUGGESTION`.
    """
    counts: Counter[str] = Counter()
    for reason, number in session.execute(_standing(project_id)):
        counts[reason] = number
    every = select(func.count()).select_from(Task)
    if project_id is not None:
        every = every.where(Task.project_id == project_id)
    counts[LABELLED] = (session.scalar(every) or 0) - sum(counts.values())
    return counts


def _standing(project_id: int | None) -> Select[Any]:
    """(reason, number of tasks)"""
    tasks, newest = unlabelled(project_id), aliased(Job)
    reason = case(
        *((Review.decision == decision, literal(text)) for decision, text in _REASONS.items()),
        (tasks.c.prediction_id.is_not(None), literal(NOT_LOOKED_AT)),
        (newest.state == "failed", literal(FAILED)),
        else_=literal(WAITING),
    ).label("reason")
    found = (
        select(reason)
        .select_from(tasks)
        .outerjoin(Review, Review.id == tasks.c.review_id)
        .outerjoin(newest, newest.id == tasks.c.newest_id)
        .subquery("standing_unlabelled")
    )
    return select(found.c.reason, func.count()).group_by(found.c.reason)
