"""Which tasks has no person labelled, and how does each of them stand? One statement, for a project or for all.

It reads each table once and then looks rows up by their key. A planner that knows little about the tables runs joins
of larger subqueries, and lookups inside them, as loops over loops; so facts about a task come together by grouping, and
what follows are outer joins to primary keys.
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
_NOTHING = cast(null(), Integer)
LABELLED = "a person has spoken about it (annotation or skip)"


def unlabelled(project_id: int | None) -> CTE:
    """One row per task that has no annotation but deleted ones.

    Columns: task_id (our row), job_id and prediction_id (its newest suggestion), review_id (the decision in force about
    that suggestion), newest_id (its newest job). All but the first may be null.
    """
    facts, job, undoing = _facts(project_id), aliased(Job), aliased(Review)
    taken_back = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    suggested = (
        select(facts.c.task_id, job.prediction_id, facts.c.newest_id, job.id.label("job_id"))
        .add_columns(_NOTHING.label("review_id"), literal(1).label("known"))
        .select_from(facts)
        .outerjoin(job, job.id == facts.c.answered_id)
    )
    decided = select(Review.task_id, Review.prediction_id, _NOTHING, _NOTHING, Review.id, literal(0)).where(
        Review.annotation_id.is_(None), Review.decision != UNDONE, Review.id.not_in(taken_back)
    )
    rows = union_all(suggested, decided).subquery("judged")
    found = (
        select(rows.c.task_id, rows.c.prediction_id)
        .add_columns(*(func.max(rows.c[name]).label(name) for name in ("newest_id", "job_id", "review_id")))
        .group_by(rows.c.task_id, rows.c.prediction_id)
        .having(func.max(rows.c.known) == 1)
    )
    return found.cte("unlabelled").prefix_with("MATERIALIZED")


def _facts(project_id: int | None) -> CTE:
    """task_id, newest_id (job), answered_id (the newest job with a suggestion), of tasks without an annotation."""
    answered = case(((Job.state == "done") & Job.prediction_id.is_not(None), Job.id))
    tombstone = aliased(Annotation)
    gone = select(tombstone.ls_annotation_id).where(tombstone.deleted.is_(True))
    asked = select(Job.task_id, Job.id, answered, literal(0)).where(Job.deliver.is_(True))
    spoken = select(Annotation.task_id, _NOTHING, _NOTHING, literal(1)).where(
        Annotation.task_id.is_not(None), Annotation.ls_annotation_id.not_in(gone)
    )
    names = (Task.id.label("task_id"), _NOTHING.label("newest"), _NOTHING.label("answered"), literal(0).label("spoken"))
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
