"""Which task should a reviewer look at next? Filtered and sorted in SQL, in one pass.

Only the disagreement of several annotators needs their tubes. It is computed for the tasks that two or more people
annotated, and kept in memory: versions never change, so neither does what they say of each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from backend.annotations import marks
from backend.annotations.wishes import NO_VERSION
from backend.db import standing as states
from backend.db.reviews import ACCEPTED, REJECTED, SENT_BACK
from backend.db.standing import counting, counting_of, standing
from backend.db.tables import Annotation, Diff, Job, Prediction, Project, Task
from backend.review.disagreement import disagreements

STATES = (
    states.TO_REVIEW, states.SUGGESTED, SENT_BACK, REJECTED, ACCEPTED, states.SKIPPED, states.FAILED, states.WAITING,
)  # fmt: skip
Sort = Literal["uncertainty", "disagreement", "age", "annotator"]
SORTS: tuple[Sort, ...] = ("uncertainty", "disagreement", "age", "annotator")
PAGE = 50


@dataclass(frozen=True)
class QueueFilter:
    """What to look at, and in which order.

    Attributes:
        project_id: Label Studio's number.
        annotator: Label Studio's number of somebody who annotated the task.
        sort: "age" is the time since the task came into its state; tasks without the value asked for come last.
        descending: the most uncertain, the most disputed, the longest waiting, the highest number first.
        page: counts from 1; too high a number is the last page.
    """

    state: str | None = None
    project_id: int | None = None
    model_version: str | None = None
    annotator: int | None = None
    sort: Sort = "uncertainty"
    descending: bool = True
    page: int = 1


@dataclass(frozen=True)
class QueueRow:
    """A task in the queue.

    Attributes:
        task_id: our row; ``ls_task_id`` is Label Studio's number.
        reason: why its newest job failed.
        model_version, score, uncertainty: of its newest suggestion.
        disagreement: 1 - mean pairwise vIoU, None with fewer than two opinions.
        annotators: Label Studio's numbers of those whose annotations count, in order.
        change, viou: of the annotation that stands for the task, against the suggestion that it came from.
        waiting_since: when it came into its state.
        marks: what a person should look at in that annotation, kinds of ``backend.annotations.marks``.
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


@dataclass(frozen=True)
class QueuePage:
    """One page of the queue.

    Attributes:
        rows: at most ``PAGE``.
        total: tasks under the filter; ``pages`` is at least 1.
        page: the one that was given.
        counts: tasks by state under the other filters, every state of ``STATES``.
        projects, model_versions, annotators: what can be chosen.
    """

    rows: list[QueueRow]
    total: int
    pages: int
    page: int
    counts: dict[str, int]
    projects: list[int]
    model_versions: list[str]
    annotators: list[int]


def look(session: Session, chosen: QueueFilter) -> QueuePage:
    """A page of the queue and what can be chosen."""
    listed = _listed(session, chosen)
    found = Counter(row.state for row in listed)
    wanted = [row for row in listed if chosen.state in (None, row.state)]
    pages = max(1, -(-len(wanted) // PAGE))
    page = min(max(1, chosen.page), pages)
    authors = select(Annotation.author_id).where(Annotation.author_id.is_not(None)).distinct()
    asked = select(Job.model_version).where(Job.model_version != NO_VERSION)
    return QueuePage(
        rows=_rows(session, wanted[(page - 1) * PAGE : page * PAGE]),
        total=len(wanted),
        pages=pages,
        page=page,
        counts={state: found[state] for state in STATES},
        projects=list(session.scalars(select(Project.id).order_by(Project.id))),
        model_versions=list(session.scalars(asked.distinct().order_by(Job.model_version))),
        annotators=sorted(number for number in session.scalars(authors) if number is not None),
    )


def first(session: Session, chosen: QueueFilter, count: int) -> list[QueueRow]:
    """The first tasks under the filter, without pages."""
    wanted = [row for row in _listed(session, chosen) if chosen.state in (None, row.state)]
    return _rows(session, wanted[:count])


def neighbours(session: Session, chosen: QueueFilter, task_id: int) -> tuple[int | None, int | None]:
    """The tasks before and after one in the filtered order; also where it has just left the filter's state."""
    before: int | None = None
    here = False
    for row in _listed(session, chosen):
        if row.task_id == task_id:
            here = True
        elif chosen.state in (None, row.state):
            if here:
                return before, row.task_id
            before = row.task_id
    return (before, None) if here else (None, None)


def row_of(session: Session, task_id: int) -> QueueRow | None:
    """One task as the queue shows it, None where there is none."""
    table = standing()
    found = _rows(session, session.execute(select(table).where(table.c.task_id == task_id)).all())
    return found[0] if found else None


def _listed(session: Session, chosen: QueueFilter) -> Sequence[Row[Any]]:
    """Every task under all filters but the state, in order: one pass that serves the counts and the page."""
    table = standing()
    query = select(table)
    if chosen.project_id is not None:
        query = query.where(table.c.project_id == chosen.project_id)
    if chosen.model_version is not None:
        query = query.where(table.c.model_version == chosen.model_version)
    if chosen.annotator is not None:
        said = counting().c
        query = query.where(table.c.task_id.in_(select(said.task_id).where(said.author_id == chosen.annotator)))
    columns = {"age": table.c.waiting_since, "annotator": table.c.author_id}
    column = columns.get(chosen.sort, table.c.uncertainty)
    downwards = chosen.descending != (chosen.sort == "age")  # the longest waiting is the earliest moment
    if chosen.sort == "disagreement":
        downwards = True
    order = column.desc() if downwards else column.asc()
    # The task's own number settles ties, so that pages never overlap.
    listed = session.execute(query.order_by(order.nulls_last(), table.c.task_id)).all()
    return _disputed_first(session, listed, chosen.descending) if chosen.sort == "disagreement" else listed


def _disputed_first(session: Session, listed: Sequence[Row[Any]], descending: bool) -> list[Row[Any]]:
    """Those with two opinions or more by their disagreement, then the others as they were."""
    known = disagreements(session, [row.task_id for row in listed if row.people > 1])
    sign = -1 if descending else 1
    disputed = sorted((row for row in listed if row.task_id in known), key=lambda row: sign * known[row.task_id])
    return disputed + [row for row in listed if row.task_id not in known]


def _rows(session: Session, page: Sequence[Row[Any]]) -> list[QueueRow]:
    """What a page shows of its tasks, beside where they stand."""
    numbers = [row.task_id for row in page]
    tasks = select(Task.id, Task.ls_task_id, Task.query, Task.video_ref).where(Task.id.in_(numbers))
    named = {row.id: row for row in session.execute(tasks)}
    suggested = select(Prediction.id, Prediction.score).where(Prediction.id.in_([row.prediction_id for row in page]))
    scores = dict(session.execute(suggested).tuples().all())
    compared = select(Diff.annotation_id, Diff.change, Diff.viou).where(
        Diff.annotation_id.in_([row.annotation_id for row in page]), Diff.object == 0
    )
    diffs = {row.annotation_id: row for row in session.execute(compared)}
    labels = select(Annotation.id, Annotation.tubes).where(Annotation.id.in_([row.annotation_id for row in page]))
    read: dict[int, list[Any]] = dict(session.execute(labels).tuples().all())
    said = counting_of(numbers).c
    people: dict[int, set[int]] = {number: set() for number in numbers}
    for task_id, author_id in session.execute(select(said.task_id, said.author_id)):
        if task_id in people and author_id is not None:
            people[task_id].add(author_id)
    disputed = disagreements(session, [row.task_id for row in page if row.people > 1])
    return [
        QueueRow(
            task_id=row.task_id,
            project_id=row.project_id,
            ls_task_id=named[row.task_id].ls_task_id,
            query=named[row.task_id].query,
            video_name=video_name(named[row.task_id].video_ref),
            state=row.state,
            reason=row.failure,
            model_version=row.model_version,
            score=scores.get(row.prediction_id),
            uncertainty=row.uncertainty,
            disagreement=disputed.get(row.task_id),
            annotators=tuple(sorted(people[row.task_id])),
            change=diffs[row.annotation_id].change if row.annotation_id in diffs else None,
            viou=diffs[row.annotation_id].viou if row.annotation_id in diffs else None,
            waiting_since=row.waiting_since,
            marks=marks.of_tubes(read.get(row.annotation_id) or []),
        )
        for row in page
    ]


def video_name(ref: str) -> str:
    """The file name in a video's address, for a person."""
    parts = urlsplit(ref)
    path = parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    return PurePosixPath(path).name or ref
