"""On which tasks have several people spoken, and how far do they agree?"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.db import annotations as versions
from backend.db.tables import Annotation, Diff, Task
from backend.review import recording
from backend.review.agreement import Agreement, Opinion, agree
from backend.review.diff import REJECTED, SKIPPED, UNREADABLE
from backend.review.drawn import Drawn
from stvg_core.keyframes import simplify

_PAGE = 200


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

    The newest annotation of each person counts; skips, deletions and annotations that cannot be read say nothing. An
    annotation without a known author counts as a person of its own.
    """
    spoken: dict[int, dict[object, tuple[Annotation, Diff]]] = defaultdict(dict)
    for row, found in recording.current(session, project_id=project_id, task_ids=task_ids):
        if row.task_id is None or found.change in (SKIPPED, UNREADABLE):
            continue
        person: object = row.author_id if row.author_id is not None else f"annotation {row.ls_annotation_id}"
        before = spoken[row.task_id].get(person)
        if before is None or versions.moment(row) >= versions.moment(before[0]):
            spoken[row.task_id][person] = row, found
    tasks = []
    for people in spoken.values():
        opinions = _opinions(people.values())
        task = next(iter(people.values()))[0].task
        if len(opinions) >= 2 and task is not None:
            tasks.append(TaskAgreement(task, agree(opinions)))
    return sorted(tasks, key=lambda entry: (entry.task.project_id, entry.task.ls_task_id))


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
        session.expunge_all()
    return AgreementSummary(len(means), pairs, sum(means) / len(means) if means else None, min(means, default=None))


def by_author(tasks: Sequence[TaskAgreement]) -> list[AuthorAgreement]:
    """One row per known person, the one who agrees least first."""
    means: dict[int, list[float]] = defaultdict(list)
    apart: dict[int, int] = defaultdict(int)
    for entry in tasks:
        for i, opinion in enumerate(entry.agreement.opinions):
            if opinion.author_id is not None:
                means[opinion.author_id].append(float(entry.agreement.means[i]))
                apart[opinion.author_id] += i in entry.agreement.outliers
    rows = [AuthorAgreement(who, len(m), sum(m) / len(m), apart[who]) for who, m in means.items()]
    return sorted(rows, key=lambda row: (row.mean, row.author_id))


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
