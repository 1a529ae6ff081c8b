"""Where does every task stand? Its suggestion, the label that counts, the decision about it: kept in ``task_state``.

Whoever changes one of these calls :func:`refresh` in the same transaction; nothing else writes those columns. The rule
is one pure function, :func:`state_of`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import BindParameter, bindparam, case, func, null, select, text, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from backend.db import model_versions
from backend.db.engine import CHUNK, insert_missing
from backend.db.row_keys import key_of
from backend.db.tables import Annotation, Base, Job, Prediction, Review, Task, TaskState
from backend.db.tables.state import DUE

ACCEPTED, REJECTED, SENT_BACK, UNDONE = "accepted", "rejected", "sent back", "undone"
"""What reviewers decide; the first three are states of a task too."""

SENT_ON = "sent to another"
"""A label that was sent back as well, to somebody else than who made it; the task's state is ``SENT_BACK``."""

REFUSALS = (REJECTED, SENT_BACK, SENT_ON)
"""Decisions against a label."""

WAITING, FAILED, SUGGESTED, TO_REVIEW, SKIPPED = "waiting", "failed", "suggested", "to review", "skipped"
STATES = (TO_REVIEW, SUGGESTED, SENT_BACK, REJECTED, ACCEPTED, SKIPPED, FAILED, WAITING)

_TABLE, _TASK, _JOB, _ANNOTATION, _PREDICTION, _REVIEW = (
    Base.metadata.tables[table.__tablename__] for table in (TaskState, Task, Job, Annotation, Prediction, Review)
)
_TASKS: BindParameter[Any] = bindparam("tasks", expanding=True)
_LOCKED = (
    select(_TASK.c.id, _TASK.c.project_id, _TASK.c.created_at)
    .where(_TASK.c.id.in_(_TASKS))
    .order_by(_TASK.c.id)
    .with_for_update(key_share=True)  # not FOR UPDATE: rows that point to the task may come in beside
)
_JOBS = (
    select(
        *(_JOB.c[name] for name in ("id", "task_id", "state", "prediction_id", "model_version", "finished_at")),
        *(_PREDICTION.c[name] for name in ("score", "uncertainty", "video_id")),
        _PREDICTION.c.model_version.label("answered_by"),
        _PREDICTION.c.query.label("sentence"),
    )
    .select_from(_JOB.outerjoin(_PREDICTION, _PREDICTION.c.id == _JOB.c.prediction_id))
    .where(_JOB.c.task_id.in_(_TASKS), _JOB.c.deliver.is_(True))
    .order_by(_JOB.c.id)
)
_SAVED = func.coalesce(_ANNOTATION.c.ls_updated_at, _ANNOTATION.c.received_at, type_=_ANNOTATION.c.received_at.type)
_LABELS = (
    select(
        *(_ANNOTATION.c[name] for name in ("id", "task_id", "ls_annotation_id", "author_id", "was_cancelled")),
        _SAVED.label("moment"),
    )
    .where(_ANNOTATION.c.task_id.in_(_TASKS), _ANNOTATION.c.current.is_(True))
    .order_by(_ANNOTATION.c.id)
)
_REVIEWS = (
    select(
        *(_REVIEW.c[name] for name in ("id", "task_id", "annotation_id", "prediction_id", "decision", "undoes_id")),
        _REVIEW.c.created_at,
    )
    .where(_REVIEW.c.task_id.in_(_TASKS))
    .order_by(_REVIEW.c.id)
)
_COMPARED = (
    update(_TABLE)
    .where(_TABLE.c.task_id == bindparam("task"), _TABLE.c.said == bindparam("were"))
    .values(compared=bindparam("were"), disagreement=bindparam("far"))
)
_SPEAK = select(_TABLE.c.task_id, _TABLE.c.compared).where(
    _TABLE.c.task_id.in_(_TASKS), _TABLE.c.compared == _TABLE.c.said
)


@dataclass
class Facts:
    """What is stored about one task, as short rows.

    Attributes:
        jobs: those whose answer belongs to the task's suggestions, oldest first.
        labels: the versions that count, one per annotation.
        reviews: all decisions, oldest first.
    """

    project_id: int
    created_at: datetime
    jobs: list[Any] = field(default_factory=list)
    labels: list[Any] = field(default_factory=list)
    reviews: list[Any] = field(default_factory=list)


def refresh(session: Session, task_ids: Iterable[int | None]) -> None:
    """Write anew where these tasks (our rows) stand. Does nothing for numbers that are no task."""
    numbers = sorted({number for number in task_ids if number is not None})
    session.flush()
    for first in range(0, len(numbers), CHUNK):
        _refresh(session, numbers[first : first + CHUNK])


def begin(session: Session, tasks: Sequence[tuple[int, int, datetime]]) -> None:
    """Where tasks stand that were made a moment ago: row, project, and when they were made."""
    rows = [
        {"task_id": number, **state_of(Facts(project_id, created_at), {}), **model_versions.stored([])}
        for number, project_id, created_at in tasks
    ]
    insert_missing(session, TaskState, rows, TaskState.task_id)


def one_at_a_time(session: Session, task_ids: Iterable[int | None]) -> None:
    """Until the transaction ends nobody else changes where these tasks stand. SQLite has one writer anyway.

    Two transactions that read the facts before either has written would each leave out what the other stores. Whoever
    changes further rows of a task (jobs, deliveries) too calls this before, so that all take their locks in one order.
    """
    numbers = sorted({number for number in task_ids if number is not None})
    if session.get_bind().dialect.name == "postgresql":
        for first in range(0, len(numbers), CHUNK):
            session.execute(_LOCKED, {"tasks": numbers[first : first + CHUNK]})


def _refresh(session: Session, numbers: Sequence[int]) -> None:
    facts = _facts(session, numbers)
    if not facts:
        return
    scores = {job.prediction_id: (job.score, job.uncertainty) for known in facts.values() for job in known.jobs}
    agreed = model_versions.columns(session, {number: known.jobs for number, known in facts.items()})
    _upsert(
        session,
        [{"task_id": number, **state_of(known, scores), **agreed[number]} for number, known in facts.items()],
    )


def state_of(facts: Facts, scores: dict[int, tuple[float, float | None]]) -> dict[str, Any]:
    """The columns of ``task_state`` that follow from what is stored about a task.

    The version that stands for the task is the newest that is no skip, else the newest skip. A decision holds for the
    version that it was made about, or, before anybody annotated, for the suggestion.

    Args:
        scores: score and uncertainty of predictions, by row.
    """
    newest = facts.jobs[-1] if facts.jobs else None
    answered = [job for job in facts.jobs if job.state == "done" and job.prediction_id is not None]
    suggestion = answered[-1] if answered else None
    label = max(facts.labels, key=lambda row: (not row.was_cancelled, row.moment, row.id), default=None)
    decided = _decision(facts.reviews, label, suggestion)
    if decided is not None:
        state, since = SENT_BACK if decided.decision == SENT_ON else decided.decision, decided.created_at
    elif label is not None:
        state, since = (SKIPPED if label.was_cancelled else TO_REVIEW), label.moment
    elif suggestion is not None:
        state, since = SUGGESTED, suggestion.finished_at
    else:
        ended = newest is not None and newest.state in ("failed", "cancelled")
        state, since = (FAILED if ended else WAITING), None
    score, uncertainty = (None, None) if suggestion is None else scores.get(suggestion.prediction_id, (None, None))
    # An unknown author is a person of its own.
    people = {
        ("person", row.author_id) if row.author_id is not None else ("annotation", row.ls_annotation_id)
        for row in facts.labels
        if not row.was_cancelled
    }
    return {
        "project_id": facts.project_id,
        "state": state,
        "since": since or facts.created_at,
        "job_id": None if newest is None else newest.id,
        "prediction_id": None if suggestion is None else suggestion.prediction_id,
        "model_version": None if suggestion is None else suggestion.model_version,
        "score": score,
        "uncertainty": uncertainty,
        "suggested_at": None if suggestion is None else suggestion.finished_at,
        "annotation_id": None if label is None else label.id,
        "author_id": None if label is None else label.author_id,
        "people": len(people),
        "said": key_of(row.id for row in facts.labels),
        "review_id": None if decided is None else decided.id,
        "decision": None if decided is None else decided.decision,
    }


def _decision(reviews: Sequence[Any], label: Any | None, suggestion: Any | None) -> Any | None:
    """The newest decision in force about what there is to judge."""
    taken_back = {row.undoes_id for row in reviews}
    for row in reversed(reviews):
        if row.decision == UNDONE or row.id in taken_back:
            continue
        if label is not None and row.annotation_id == label.id:
            return row
        about_suggestion = suggestion is not None and row.prediction_id == suggestion.prediction_id
        if label is None and row.annotation_id is None and about_suggestion:
            return row
    return None


def _facts(session: Session, numbers: Sequence[int]) -> dict[int, Facts]:
    asked = {"tasks": numbers}
    tasks = session.execute(_LOCKED, asked)  # before the facts are read
    found = {row.id: Facts(row.project_id, row.created_at) for row in tasks}
    for job in session.execute(_JOBS, asked):
        found[job.task_id].jobs.append(job)
    for label in session.execute(_LABELS, asked):
        found[label.task_id].labels.append(label)
    for review in session.execute(_REVIEWS, asked):
        found[review.task_id].reviews.append(review)
    return found


def _upsert(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    statement = _upserting(session.get_bind().dialect.name, tuple(rows[0]))
    session.connection().execute(statement, list(rows))
    for row in session.identity_map.values():
        if isinstance(row, TaskState):
            session.expire(row)


@lru_cache
def _upserting(dialect: str, columns: Sequence[str]) -> Any:
    """What was compared stays as long as the same versions speak."""
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(_TABLE)
    same = _TABLE.c.said == statement.excluded.said
    kept = {name: case((same, _TABLE.c[name]), else_=null()) for name in ("compared", "disagreement")}
    new = {name: statement.excluded[name] for name in columns if name != "task_id"}
    return statement.on_conflict_do_update(index_elements=["task_id"], set_=new | kept)


def lock(session: Session, task_id: int) -> str | None:
    """Which versions speak about a task (``said``); nobody else changes that until the transaction ends."""
    query = select(TaskState.said).where(TaskState.task_id == task_id)
    return session.scalars(query.with_for_update()).one_or_none()


def hold(session: Session, task_ids: Iterable[int]) -> None:
    """Nobody decides about these tasks, or adds to what was said, until the transaction ends.

    A decision locks the task too, so it is one of those that wait.
    """
    one_at_a_time(session, task_ids)


def of_task(session: Session, task_id: int) -> TaskState | None:
    """The state of one task (our row)."""
    return session.get(TaskState, task_id)


def compare_due(session: Session, *, limit: int) -> list[tuple[int, str]]:
    """Tasks that several people annotated and whose labels were not compared since: our row, and which versions."""
    query = select(TaskState.task_id, TaskState.said).where(text(DUE)).limit(limit)
    return [(number, said) for number, said in session.execute(query)]


def compared(session: Session, said: Mapping[int, str], disagreement: Mapping[int, float | None]) -> int:
    """Store how far people disagree about tasks, where the same versions still speak; of how many tasks they do.

    Args:
        said: of each task, the versions that were compared.
    """
    rows = [{"task": number, "were": said[number], "far": disagreement[number]} for number in sorted(said)]
    if not rows:
        return 0
    session.connection().execute(_COMPARED, rows)
    speak = session.execute(_SPEAK, {"tasks": sorted(said)})
    return sum(said[row.task_id] == row.compared for row in speak)
