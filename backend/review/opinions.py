"""On which tasks have several people spoken, and how far do they agree?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db.tables import Annotation, Diff, Task, TaskState
from backend.review import recording
from backend.review.agreement import Agreement, Opinion, agree
from backend.review.diff import REJECTED, SKIPPED, UNREADABLE
from backend.review.drawn_tube import Drawn
from stvg_core.keyframes import simplify

_PAGE = 200

Said = tuple[Annotation, Diff]
"""A version of an annotation with its diff."""


@dataclass(frozen=True)
class TaskAgreement:
    """A task with the opinions on it; the task's row is loaded."""

    task: Task
    agreement: Agreement


@dataclass(frozen=True)
class AuthorAgreement:
    """How one person agrees with the others: tasks shared, mean vIoU over them, how often apart."""

    author_id: int
    tasks: int
    mean: float
    apart: int


def of_tasks(
    session: Session, *, project_id: int | None = None, task_ids: Sequence[int] | None = None
) -> list[TaskAgreement]:
    """Every task on which at least two people have spoken, by project and task; of ``task_ids`` (our rows), if given.

    All are in memory at once: :func:`walk` is for many.
    """
    by_task: dict[int, list[Said]] = defaultdict(list)
    for row, found in recording.current(session, project_id=project_id, task_ids=task_ids):
        if row.task_id is not None:
            by_task[row.task_id].append((row, found))
    tasks = []
    for said in by_task.values():
        task, agreement = said[0][0].task, of_versions(said)
        if task is not None and agreement is not None:
            tasks.append(TaskAgreement(task, agreement))
    return sorted(tasks, key=lambda entry: (entry.task.project_id, entry.task.ls_task_id))


def of_versions(said: Iterable[Said]) -> Agreement | None:
    """How far those agree who annotated one task; None unless two have an opinion.

    The newest annotation of each person counts; skips, deletions and annotations that cannot be read say nothing. An
    annotation without a known author counts as a person of its own.

    Args:
        said: the version that counts of each of the task's annotations, with its diff.
    """
    spoken: dict[object, Said] = {}
    for row, found in said:
        if found.change in (SKIPPED, UNREADABLE):
            continue
        person: object = row.author_id if row.author_id is not None else f"annotation {row.ls_annotation_id}"
        before = spoken.get(person)
        if before is None or versions.moment(row) >= versions.moment(before[0]):
            spoken[person] = row, found
    opinions = _opinions(spoken.values())
    return agree(opinions) if len(opinions) >= 2 else None


def walk(session: Session, *, project_id: int | None = None) -> Iterator[TaskAgreement]:
    """The same as :func:`of_tasks` in the same order, a few hundred tasks in memory at a time."""
    several = select(TaskState.task_id).join(Task, Task.id == TaskState.task_id).where(TaskState.people > 1)
    if project_id is not None:
        several = several.where(TaskState.project_id == project_id)
    numbers = session.scalars(several.order_by(TaskState.project_id, Task.ls_task_id)).all()
    for first in range(0, len(numbers), _PAGE):
        yield from of_tasks(session, task_ids=numbers[first : first + _PAGE])


@dataclass(frozen=True)
class AgreementSummary:
    """Over the tasks on which two people or more have spoken; every task counts once, however many pairs it has.

    Attributes:
        mean: of the tasks' mean pairwise vIoU, ``lowest`` the smallest of these; None without a task.
    """

    tasks: int
    pairs: int
    mean: float | None
    lowest: float | None


def summary_of(session: Session, task_ids: Sequence[int]) -> AgreementSummary:
    """:func:`of_tasks` in one line, a few hundred tasks in memory at a time."""
    means: list[float] = []
    pairs = 0
    for first in range(0, len(task_ids), _PAGE):
        for entry in of_tasks(session, task_ids=task_ids[first : first + _PAGE]):
            count = len(entry.agreement.opinions)
            means.append(entry.agreement.mean)
            pairs += count * (count - 1) // 2
    return AgreementSummary(len(means), pairs, sum(means) / len(means) if means else None, min(means, default=None))


class Authors:
    """Gathers, task by task, how each person agrees with the others."""

    def __init__(self) -> None:
        self._means: dict[int, list[float]] = defaultdict(list)
        self._apart: dict[int, int] = defaultdict(int)

    def add(self, agreement: Agreement) -> None:
        for i, opinion in enumerate(agreement.opinions):
            if opinion.author_id is not None:
                self._means[opinion.author_id].append(float(agreement.means[i]))
                self._apart[opinion.author_id] += i in agreement.outliers

    def rows(self) -> list[AuthorAgreement]:
        """One per known person, the one who agrees least first."""
        found = [AuthorAgreement(who, len(m), sum(m) / len(m), self._apart[who]) for who, m in self._means.items()]
        return sorted(found, key=lambda row: (row.mean, row.author_id))


def by_author(tasks: Iterable[TaskAgreement]) -> list[AuthorAgreement]:
    """One row per known person, the one who agrees least first."""
    authors = Authors()
    for entry in tasks:
        authors.add(entry.agreement)
    return authors.rows()


def _opinions(rows: Iterable[tuple[Annotation, Diff]]) -> list[Opinion]:
    """A suggestion that was judged wrong and left as it was is nobody's opinion of where the tube is."""
    opinions = []
    for row, found in rows:
        drawn = recording.answer(row)
        if found.change != REJECTED or drawn is None:
            opinions.append(Opinion(row.author_id, row.ls_annotation_id, drawn))
    return sorted(opinions, key=lambda opinion: opinion.annotation_id)


def to_json(entry: TaskAgreement) -> dict[str, Any]:
    """A task's agreement for other programs; the consensus as ``[[frame, x1, y1, x2, y2], ...]``, linear in between."""
    found, common = entry.agreement, entry.agreement.consensus
    return {
        "project": entry.task.project_id,
        "task": entry.task.ls_task_id,
        "annotations": [opinion.annotation_id for opinion in found.opinions],
        "annotators": [opinion.author_id for opinion in found.opinions],
        "viou": found.pairs.round(4).tolist(),
        "mean_viou": round(found.mean, 4),
        "outliers": [found.opinions[i].annotation_id for i in found.outliers],
        "consensus": None if common is None else _consensus(common),
    }


def _consensus(common: Drawn) -> dict[str, Any]:
    rows = [[key.frame, *(round(float(v), 6) for v in key.box)] for key in simplify(common.tube, 0.99)]
    return {"intervals": [list(interval) for interval in common.intervals], "keyframes": rows}
