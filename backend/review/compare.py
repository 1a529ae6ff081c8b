"""What do two model versions say about one task, and how far apart are they?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.db import model_versions, predictions, task_state
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, TaskState
from backend.review.drawn_tube import Drawn, overlap
from backend.review.suggestion import tube_of

_PAGE = 100


@dataclass(frozen=True)
class Side:
    """The suggestion of one version.

    Attributes:
        start_frame, end_frame: 0-based, both included; None where the version suggests nothing.
        uncertainty: None in rows from before it was stored.
    """

    model_version: str
    score: float
    uncertainty: float | None
    start_frame: int | None
    end_frame: int | None


@dataclass(frozen=True)
class Comparison:
    """Two suggestions for the same sentence about the same video.

    Attributes:
        known: the versions that can be compared, the newest suggestion first.
        a, b: those that are.
        tiou, viou: between the two tubes, None where one of them has none.
        start_shift, end_shift: frames by which the ends of ``b`` are later.
        problem: why these are not the two that were asked for, in a sentence.
    """

    known: tuple[str, ...]
    a: Side
    b: Side
    tiou: float | None
    viou: float | None
    start_shift: int | None
    end_shift: int | None
    problem: str | None = None


def look(session: Session, task_id: int, a: str | None = None, b: str | None = None) -> Comparison | None:
    """The comparison of two versions; by default of the newest suggestion with the newest of another version.

    None where the task has suggestions of fewer than two versions.
    """
    rows = of_versions(session, task_id)
    if len(rows) < 2:
        return None
    (one, other), problem = choose(rows, a, b)
    first, second = _drawn(one), _drawn(other)
    both = None if first is None or second is None else overlap(first, second)
    return Comparison(
        tuple(row.model_version for row in rows), _side(one), _side(other),
        None if both is None else both.tiou, None if both is None else both.viou,
        _later(one.start_frame, other.start_frame), _later(one.end_frame, other.end_frame), problem,
    )  # fmt: skip


def of_versions(session: Session, task_id: int) -> list[Prediction]:
    """The newest suggestion of each model version, the newest first.

    Only those about the sentence, the content and the part of the video that the newest suggestion is about: others
    answer another question.
    """
    newest = predictions.newest(session, task_id)
    if newest is None:
        return []
    query = (
        select(Prediction)
        .join(Job, Job.prediction_id == Prediction.id)
        .where(Job.task_id == task_id, Job.deliver.is_(True), Job.state == "done")
        .where(Prediction.video_id == newest.video_id, Prediction.query == newest.query)
        .order_by(Job.id.desc())
    )
    return model_versions.one_of_each(session.scalars(query))


def choose(
    rows: Sequence[Prediction], a: str | None, b: str | None
) -> tuple[tuple[Prediction, Prediction], str | None]:
    """Two of at least two rows by their versions, and a sentence where they are not those that were asked for."""
    known = {row.model_version: row for row in rows}
    missing = [name for name in (a, b) if name and name not in known]
    if missing:
        return (rows[0], rows[1]), f"This task has no suggestion of {' and '.join(missing)} to compare."
    if a and a == b:
        return (known[a], _other(rows, a)), "Choose two different versions to compare them."
    if not a and b:
        return (_other(rows, b), known[b]), None
    one = known[a] if a else rows[0]
    return (one, known[b] if b else _other(rows, one.model_version)), None


def drawn_pair(session: Session, task_id: int, a: str | None, b: str | None) -> list[tuple[str, Prediction]]:
    """The two rows that are compared, each with the letter that it has on the page; empty without two."""
    rows = of_versions(session, task_id)
    return [] if len(rows) < 2 else list(zip("AB", choose(rows, a, b)[0], strict=True))


def record_missing(database: Database) -> int:
    """Store how far model versions agree about every task from before that was stored; returns how many got a figure.

    A page at a time, each in a transaction of its own. What comes meanwhile is compared where it is stored.
    """
    compared, last = 0, 0
    while True:
        due = select(TaskState.task_id).where(TaskState.versions_compared.is_(None), TaskState.task_id > last)
        with database.write() as session:
            page = session.scalars(due.order_by(TaskState.task_id).limit(_PAGE)).all()
            task_state.refresh(session, page)
            known = select(func.count()).where(TaskState.task_id.in_(page), TaskState.versions_agree.is_not(None))
            compared += session.scalars(known).one()
        if len(page) < _PAGE:
            return compared
        last = page[-1]


def _other(rows: Sequence[Prediction], version: str) -> Prediction:
    return next(row for row in rows if row.model_version != version)


def _later(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else other - one


def _drawn(row: Prediction) -> Drawn | None:
    tube = tube_of(row)
    return None if tube is None else Drawn.whole(tube)


def _side(row: Prediction) -> Side:
    return Side(row.model_version, row.score, row.uncertainty, row.start_frame, row.end_frame)
