"""The questions behind the dashboard. Each is one statement that groups by every kind of group at once.

The rows are read once, as short ones (a common table expression that is used several times is kept by both databases),
and grouped five times: in all, by project, by day, by annotator, by model version.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    literal_column,
    null,
    select,
    union_all,
)
from sqlalchemy.orm import Session

from backend.db import task_state
from backend.db.days import day_of, within
from backend.db.tables import Annotation, Diff, Prediction, Review, TaskState

EVERY, PROJECT, DAY, PERSON, VERSION = "every", "project", "day", "person", "version"
_KINDS = (EVERY, PROJECT, DAY, PERSON, VERSION)
_FOR_ANNOTATORS = (task_state.WAITING, task_state.FAILED, task_state.SUGGESTED, task_state.SENT_BACK)


@dataclass(frozen=True)
class Chosen:
    """What to look at.

    Attributes:
        project_id: Label Studio's number; negative for a local project.
        first, last: days in UTC, both included, of the last save (of a decision, when it was taken).
        annotator: Label Studio's number of who saved the label.
        model_version: of the suggestion that a label came from.
    """

    project_id: int | None = None
    first: date | None = None
    last: date | None = None
    annotator: int | None = None
    model_version: str | None = None


@dataclass
class Labels:
    """What was done in a group."""

    kind: str
    key: str | None
    done: int = 0
    edits: int = 0
    from_nothing: int = 0
    lead_time_s: float | None = None
    timed: int = 0
    agreement: float | None = None
    compared: int = 0


def labels(session: Session, chosen: Chosen) -> Iterator[Labels]:
    """The labels of each group: how many, their edits, their median lead time, and how far their tasks agree."""
    facts = _labels(session, chosen)
    parts: list[Select[Any]] = []
    for kind in _KINDS:
        parts += [_sums(facts, kind), _median(facts, kind), _agreement(facts, kind)]
    found: dict[tuple[str, str | None], Labels] = {}
    for kind, key, what, count, first, second in session.execute(union_all(*parts)):
        row = found.setdefault((kind, key), Labels(kind, key))
        if what == "sums":
            row.done, row.edits, row.from_nothing = count, int(first or 0), int(second or 0)
        elif what == "median":
            row.timed, row.lead_time_s = count, float(first)
        else:
            row.compared, row.agreement = count, 1 - float(first)
    yield from found.values()


def waiting(session: Session, chosen: Chosen) -> Iterator[tuple[str, str | None, bool, int]]:
    """Kind of group, group, whether for a reviewer (else for an annotator), and how many tasks wait.

    A task belongs to the author of the label that stands for it and to the day since when it waits.
    """
    facts = (
        select(
            literal_column("''").label(EVERY),
            cast(TaskState.project_id, String).label(PROJECT),
            day_of(session, TaskState.since).label(DAY),
            cast(TaskState.author_id, String).label(PERSON),
            TaskState.model_version.label(VERSION),
            (TaskState.state == task_state.TO_REVIEW).label("for_review"),
        )
        .where(TaskState.state.in_((*_FOR_ANNOTATORS, task_state.TO_REVIEW)))
        .where(*_chosen(chosen, TaskState.author_id, TaskState.model_version))
        .cte("facts")
    )
    query = _counts(facts, facts.c.for_review)
    return ((kind, key, bool(for_review), count) for kind, key, for_review, count in session.execute(query))


def came_back(session: Session, chosen: Chosen) -> Iterator[tuple[str, str | None, str, int]]:
    """Kind of group, group, reason, and how many decisions to reject or to send back nobody took back."""
    taken_back = select(Review.undoes_id).where(Review.undoes_id.is_not(None))
    facts = (
        select(
            literal_column("''").label(EVERY),
            cast(TaskState.project_id, String).label(PROJECT),
            day_of(session, Review.created_at).label(DAY),
            cast(Annotation.author_id, String).label(PERSON),
            Prediction.model_version.label(VERSION),
            func.coalesce(Review.reason, "").label("reason"),
        )
        .join(TaskState, TaskState.task_id == Review.task_id)
        .outerjoin(Annotation, Annotation.id == Review.annotation_id)
        .outerjoin(Prediction, Prediction.id == _came_from(Review.annotation_id, Review.prediction_id))
        .where(Review.decision.in_(task_state.REFUSALS), Review.id.not_in(taken_back))
        .where(*_chosen(chosen, Annotation.author_id, Prediction.model_version))
        .where(*within(Review.created_at, chosen.first, chosen.last))
        .cte("facts")
    )
    query = _counts(facts, facts.c.reason)
    found = session.execute(query).tuples().all()
    return iter(sorted(found, key=lambda row: (row[0], row[1] or "", -row[3], row[2])))


def _came_from(annotation: Any, suggestion: Any) -> ColumnElement[Any]:
    """The prediction that a decision is about: that of the label, or the one that was judged itself."""
    return case((annotation.is_not(None), Annotation.prediction_id), else_=suggestion)


def _labels(session: Session, chosen: Chosen) -> CTE:
    """One short row per label."""
    saved = func.coalesce(Annotation.ls_updated_at, Annotation.received_at, type_=Annotation.received_at.type)
    edits = (
        select(
            Diff.annotation_id,
            func.sum(Diff.edits).label("edits"),
            func.sum(Diff.edits_from_nothing).label("from_nothing"),
        )
        .where(Diff.prediction_id.is_not(None), Diff.edits.is_not(None), Diff.edits_from_nothing.is_not(None))
        .group_by(Diff.annotation_id)
        .subquery("edited")
    )
    # A prediction is a long row, read from the disk: where the task's own suggestion is meant, its version is known.
    known = TaskState.prediction_id == Annotation.prediction_id
    version = case((known, TaskState.model_version), else_=Prediction.model_version)
    return (
        select(
            literal_column("''").label(EVERY),
            cast(TaskState.project_id, String).label(PROJECT),
            day_of(session, saved).label(DAY),
            cast(Annotation.author_id, String).label(PERSON),
            version.label(VERSION),
            Annotation.task_id.label("task_id"),
            Annotation.lead_time_s.label("seconds"),
            edits.c.edits,
            edits.c.from_nothing,
            case((TaskState.compared == TaskState.said, TaskState.disagreement), else_=null()).label("apart"),
        )
        .join(TaskState, TaskState.task_id == Annotation.task_id)
        .outerjoin(Prediction, Prediction.id == case((known, null()), else_=Annotation.prediction_id))
        .outerjoin(edits, edits.c.annotation_id == Annotation.id)
        .where(Annotation.current.is_(True), Annotation.was_cancelled.is_(False))
        .where(*_chosen(chosen, Annotation.author_id, version))
        .where(*within(saved, chosen.first, chosen.last))
        .cte("facts")
    )


def _chosen(chosen: Chosen, person: Any, version: Any) -> list[ColumnElement[bool]]:
    pairs = ((TaskState.project_id, chosen.project_id), (person, chosen.annotator), (version, chosen.model_version))
    return [column == value for column, value in pairs if value is not None]


def _sums(facts: CTE, kind: str) -> Select[Any]:
    key = facts.c[kind]
    sums = func.count(), func.sum(facts.c.edits), func.sum(facts.c.from_nothing)
    return select(literal(kind), key, literal("sums"), *sums).group_by(key)


def _median(facts: CTE, kind: str) -> Select[Any]:
    """The mean of the middle one or two, in order of the time that they took."""
    key, seconds = facts.c[kind], facts.c.seconds
    ranked = (
        select(
            key.label("key"),
            seconds,
            func.row_number().over(partition_by=key, order_by=seconds).label("place"),
            func.count().over(partition_by=key).label("number"),
        )
        .where(seconds.is_not(None))
        .subquery()
    )
    middle = (2 * ranked.c.place).between(ranked.c.number, ranked.c.number + 2)
    columns = literal(kind), ranked.c.key, literal("median"), func.max(ranked.c.number), func.avg(ranked.c.seconds)
    return select(*columns, null()).where(middle).group_by(ranked.c.key)


def _agreement(facts: CTE, kind: str) -> Select[Any]:
    """Each task once, however many people of the group annotated it."""
    key, apart = facts.c[kind], facts.c.apart
    tasks = select(key.label("key"), facts.c.task_id, apart).where(apart.is_not(None)).distinct().subquery()
    columns = literal(kind), tasks.c.key, literal("agreement"), func.count(), func.avg(tasks.c.apart)
    return select(*columns, null()).group_by(tasks.c.key)


def _counts(facts: CTE, by: ColumnElement[Any]) -> Any:
    parts: Sequence[Select[Any]] = [
        select(literal(kind), facts.c[kind], by, func.count()).group_by(facts.c[kind], by) for kind in _KINDS
    ]
    return union_all(*parts)
