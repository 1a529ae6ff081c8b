"""Where does every task stand? One SELECT over all of them: its suggestion, its newest annotation, its decision.

The queue filters, sorts and counts on these columns. None of them needs a big column (evidence, results): on SQLite,
what lies behind one in a row is slow to reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Integer, Subquery, and_, case, cast, func, literal, null, select
from sqlalchemy.orm import aliased

from backend.db.reviews import UNDONE
from backend.db.tables import Annotation, Job, Prediction, Review, Task

WAITING, FAILED, SUGGESTED, TO_REVIEW, SKIPPED = "waiting", "failed", "suggested", "to review", "skipped"


@lru_cache(maxsize=1)
def counting() -> CTE:
    """The version that counts of each annotation, as :func:`backend.db.annotations.current` has it.

    Columns: annotation_id (our row), ls_annotation_id, task_id, author_id, was_cancelled, moment.
    """
    return _counting(None)


def counting_of(task_ids: Sequence[int]) -> CTE:
    """The same for a few tasks (our rows)."""
    return _counting(task_ids)


def _counting(task_ids: Sequence[int] | None) -> CTE:
    moment = func.coalesce(Annotation.ls_updated_at, Annotation.received_at)
    same = Annotation.ls_annotation_id
    versions = select(
        Annotation.id.label("annotation_id"),
        Annotation.ls_annotation_id,
        Annotation.task_id,
        Annotation.author_id,
        Annotation.was_cancelled,
        moment.label("moment"),
        func.row_number().over(partition_by=same, order_by=[moment.desc(), Annotation.version.desc()]).label("rank"),
        func.max(cast(Annotation.deleted, Integer)).over(partition_by=same).label("gone"),
    )
    if task_ids is not None:
        theirs = select(Annotation.ls_annotation_id).where(Annotation.task_id.in_(task_ids))
        versions = versions.where(same.in_(theirs))
    ranked = versions.subquery("ranked")
    chosen = [column for column in ranked.c if column.name not in ("rank", "gone")]
    query = select(*chosen).where(ranked.c.rank < 2, ranked.c.gone < 1, ranked.c.task_id.is_not(None))
    return query.cte("counting").prefix_with("MATERIALIZED")


@lru_cache(maxsize=1)
def standing() -> Subquery:
    """One row per task.

    Columns: task_id, project_id, prediction_id, model_version, uncertainty, failure (why the newest job failed),
    annotation_id (the version that stands for the task), author_id, people (how many annotated it, skips left out),
    review_id (the decision in force about that version, or about the suggestion where there is none), waiting_since,
    state.
    """
    present, newest, suggestion, decided = _present(), aliased(Job), aliased(Job), aliased(Review)
    any_job, done_job, sure = _newest_jobs("asked"), _newest_jobs("answered", done=True), _uncertainties()
    of_version, of_suggestion = _decisions()
    state = case(
        (decided.id.is_not(None), decided.decision),
        (present.c.skipped == 1, literal(SKIPPED)),
        (present.c.annotation_id.is_not(None), literal(TO_REVIEW)),
        (suggestion.id.is_not(None), literal(SUGGESTED)),
        (newest.state == "failed", literal(FAILED)),
        else_=literal(WAITING),
    )
    since = func.coalesce(decided.created_at, present.c.moment, suggestion.finished_at, Task.created_at)
    same_suggestion = and_(
        present.c.annotation_id.is_(None),
        of_suggestion.c.task_id == Task.id,
        of_suggestion.c.prediction_id == suggestion.prediction_id,
    )
    query = (
        select(
            Task.id.label("task_id"),
            Task.project_id,
            suggestion.prediction_id,
            suggestion.model_version,
            sure.c.uncertainty,
            case((newest.state == "failed", newest.reason), else_=null()).label("failure"),
            present.c.annotation_id,
            present.c.author_id,
            func.coalesce(present.c.people, 0).label("people"),
            decided.id.label("review_id"),
            since.label("waiting_since"),
            state.label("state"),
        )
        .select_from(Task)
        .outerjoin(any_job, any_job.c.task_id == Task.id)
        .outerjoin(newest, newest.id == any_job.c.job_id)
        .outerjoin(done_job, done_job.c.task_id == Task.id)
        .outerjoin(suggestion, suggestion.id == done_job.c.job_id)
        .outerjoin(sure, sure.c.id == suggestion.prediction_id)
        .outerjoin(present, present.c.task_id == Task.id)
        .outerjoin(of_version, of_version.c.annotation_id == present.c.annotation_id)
        .outerjoin(of_suggestion, same_suggestion)
        .outerjoin(decided, decided.id == func.coalesce(of_version.c.review_id, of_suggestion.c.review_id))
    )
    return query.subquery("standing")


def _present() -> CTE:
    """The version that stands for each task, as :func:`backend.db.annotations.present` has it, and how many spoke.

    Grouped and not filtered by its rank, because SQLite takes a filtered table for a small one and scans it again and
    again.
    """
    rows = counting()
    order = [rows.c.was_cancelled, rows.c.moment.desc(), rows.c.annotation_id.desc()]
    rank = func.row_number().over(partition_by=rows.c.task_id, order_by=order).label("rank")
    ranked = select(rows, rank).subquery("by_task")
    skipped = cast(ranked.c.was_cancelled, Integer)
    person = func.coalesce(ranked.c.author_id, -ranked.c.ls_annotation_id)  # an unknown author is a person of its own

    def of_first(column: ColumnElement[Any]) -> ColumnElement[Any]:
        return func.max(case((ranked.c.rank == 1, column)))

    query = select(
        ranked.c.task_id,
        of_first(ranked.c.annotation_id).label("annotation_id"),
        of_first(ranked.c.author_id).label("author_id"),
        of_first(ranked.c.moment).label("moment"),
        of_first(skipped).label("skipped"),
        func.count(case((skipped == 0, person)).distinct()).label("people"),
    )
    return query.group_by(ranked.c.task_id).cte("present").prefix_with("MATERIALIZED")


def _newest_jobs(name: str, *, done: bool = False) -> CTE:
    """The newest job of each task whose answer belongs to the task's suggestions (interactive ones do not)."""
    query = select(Job.task_id, func.max(Job.id).label("job_id")).where(Job.deliver.is_(True))
    if done:
        query = query.where(Job.state == "done", Job.prediction_id.is_not(None))
    return query.group_by(Job.task_id).cte(name).prefix_with("MATERIALIZED")


def _uncertainties() -> CTE:
    """By themselves: the index holds them, while the rows are long."""
    return select(Prediction.id, Prediction.uncertainty).cte("sure").prefix_with("MATERIALIZED")


def _decisions() -> tuple[CTE, CTE]:
    """The newest decision that nobody took back: by annotation version; and by task and suggestion."""
    undoing = aliased(Review)
    taken_back = select(undoing.undoes_id).where(undoing.undoes_id.is_not(None))
    kept = Review.id.not_in(taken_back), Review.decision != UNDONE
    newest = func.max(Review.id).label("review_id")
    by_version = select(Review.annotation_id, newest).where(*kept, Review.annotation_id.is_not(None))
    by_suggestion = select(Review.task_id, Review.prediction_id, newest).where(*kept, Review.annotation_id.is_(None))
    return (
        by_version.group_by(Review.annotation_id).cte("of_version").prefix_with("MATERIALIZED"),
        by_suggestion.group_by(Review.task_id, Review.prediction_id).cte("of_suggestion").prefix_with("MATERIALIZED"),
    )
