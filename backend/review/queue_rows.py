"""What does the queue show of a task? Gathered for one page at a time, every question by a key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.annotations import marks
from backend.db.tables import Annotation, Diff, Job, Project, Task, TaskState
from backend.db.task_state import FAILED

LABEL, SUGGESTION = "label", "suggestion"


@dataclass(frozen=True)
class QueueRow:
    """A task in the queue.

    Attributes:
        task_id: our row; ``ls_task_id`` is Label Studio's number.
        reason: why its newest job failed.
        model_version, score, uncertainty: of its newest suggestion.
        disagreement: 1 - mean pairwise vIoU, None with fewer than two opinions, and while these are being compared.
        versions_agree: mean vIoU of its newest suggestion with those of other model versions, None without others.
        annotators: Label Studio's numbers of those whose annotations count, in order.
        change, viou: of the annotation that stands for the task, against the suggestion that it came from.
        waiting_since: when it came into its state.
        marks: what a person should look at in that annotation, kinds of ``backend.annotations.marks``.
        comparing: several people annotated it, and how far they disagree is not known yet.
        project_title: of a local project.
        annotation_id, prediction_id: rows of the version that stands for the task, and of its newest suggestion.
        drawn: whose tube a picture of the task shows, "label" or "suggestion", and its row; None where there is none.
    """

    task_id: int
    project_id: int
    ls_task_id: int
    query: str
    video_name: str
    state: str
    reason: str | None
    model_version: str | None
    score: float | None
    uncertainty: float | None
    disagreement: float | None
    annotators: tuple[int, ...]
    change: str | None
    viou: float | None
    waiting_since: datetime
    marks: tuple[str, ...] = ()
    comparing: bool = False
    project_title: str | None = None
    annotation_id: int | None = None
    prediction_id: int | None = None
    drawn: tuple[str, int] | None = None
    versions_agree: float | None = None


def rows_of(session: Session, numbers: Sequence[int]) -> list[QueueRow]:
    """These tasks (our rows), in this order; one that is gone is left out. For a page of them, not for thousands."""
    stated = {row.task_id: row for row in session.execute(_STATED.where(TaskState.task_id.in_(numbers)))}
    labels = [row.annotation_id for row in stated.values() if row.annotation_id is not None]
    compared = select(Diff.annotation_id, Diff.change, Diff.viou).where(Diff.annotation_id.in_(labels))
    diffs = {row.annotation_id: row for row in session.execute(compared.where(Diff.object == 0))}
    read = select(Annotation.id, Annotation.tubes).where(Annotation.id.in_(labels))
    tubes: dict[int, list[Any]] = dict(session.execute(read).tuples().all())
    people = _people(session, numbers)
    return [
        _row(stated[number], diffs.get(stated[number].annotation_id), tubes, people[number])
        for number in numbers
        if number in stated
    ]


_STATED = (
    select(
        TaskState.task_id, TaskState.project_id, TaskState.state, TaskState.since, TaskState.model_version,
        TaskState.score, TaskState.uncertainty, TaskState.disagreement, TaskState.people, TaskState.said,
        TaskState.compared, TaskState.versions_agree, TaskState.annotation_id, TaskState.prediction_id, Task.ls_task_id,
        Task.query, Task.video_ref, Project.title, Job.reason,
    )
    .join(Task, Task.id == TaskState.task_id)
    .join(Project, Project.id == TaskState.project_id)
    .outerjoin(Job, Job.id == TaskState.job_id)
)  # fmt: skip


def _row(row: Any, diff: Any | None, tubes: dict[int, list[Any]], people: set[int]) -> QueueRow:
    known = row.compared == row.said
    return QueueRow(
        task_id=row.task_id,
        project_id=row.project_id,
        ls_task_id=row.ls_task_id,
        query=row.query,
        video_name=video_name(row.video_ref),
        state=row.state,
        reason=row.reason if row.state == FAILED else None,
        model_version=row.model_version,
        score=row.score,
        uncertainty=row.uncertainty,
        disagreement=row.disagreement if known else None,
        annotators=tuple(sorted(people)),
        change=None if diff is None else diff.change,
        viou=None if diff is None else diff.viou,
        waiting_since=row.since,
        marks=marks.of_tubes(tubes.get(row.annotation_id) or []),
        comparing=row.people > 1 and not known,
        project_title=row.title,
        annotation_id=row.annotation_id,
        prediction_id=row.prediction_id,
        drawn=_drawn(row, tubes),
        versions_agree=row.versions_agree,
    )


def _drawn(row: Any, tubes: dict[int, list[Any]]) -> tuple[str, int] | None:
    if row.annotation_id is not None and tubes.get(row.annotation_id):
        return LABEL, row.annotation_id
    return None if row.prediction_id is None or row.annotation_id is not None else (SUGGESTION, row.prediction_id)


def _people(session: Session, numbers: Sequence[int]) -> dict[int, set[int]]:
    said = select(Annotation.task_id, Annotation.author_id).where(
        Annotation.task_id.in_(numbers), Annotation.current.is_(True), Annotation.author_id.is_not(None)
    )
    people: dict[int, set[int]] = {number: set() for number in numbers}
    for task_id, author_id in session.execute(said):
        if task_id is not None and author_id is not None:
            people[task_id].add(author_id)
    return people


def video_name(ref: str) -> str:
    """The file name in a video's address, for a person."""
    parts = urlsplit(ref)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    return PurePosixPath(path).name or ref
