"""Which model versions answered a task's question, and how far is the newest suggestion from the others'?

``task_state`` keeps the figure with the predictions that it was computed for. It is computed by
``backend.db.task_state.refresh``, and only where these are others by now.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from backend.db.row_keys import key_of
from backend.db.stored_tubes import tube_of_rows
from backend.db.tables import Base, Prediction, TaskState
from stvg_core.metrics import viou
from stvg_core.tube import Tube

Row = TypeVar("Row", bound=Any)

logger = logging.getLogger(__name__)

SEGMENT = "segment"  # in the evidence's info: which part of the video was looked at

_TABLE, _PREDICTION = (Base.metadata.tables[table.__tablename__] for table in (TaskState, Prediction))
_KNOWN = select(_TABLE.c.task_id, _TABLE.c.versions_compared, _TABLE.c.versions_agree).where(
    _TABLE.c.task_id.in_(bindparam("tasks", expanding=True))
)
_TUBES = select(*(_PREDICTION.c[name] for name in ("id", "model_version", "keyframes", "evidence_info"))).where(
    _PREDICTION.c.id.in_(bindparam("predictions", expanding=True))
)


def answers(jobs: Sequence[Any]) -> list[int]:
    """What was answered to the sentence, in the content, that the newest answer is about; the newest first.

    Args:
        jobs: rows with ``state``, ``prediction_id``, ``answered_by`` (the prediction's model version), ``video_id`` and
            ``sentence`` (the prediction's), the oldest first.

    Returns:
        Rows of predictions; empty where fewer than two model versions answered.
    """
    answered = [job for job in jobs if job.state == "done" and job.prediction_id is not None]
    same = [
        job
        for job in reversed(answered)
        if (job.video_id, job.sentence) == (answered[-1].video_id, answered[-1].sentence)
    ]
    several = len({job.answered_by for job in same}) > 1
    return list(dict.fromkeys(job.prediction_id for job in same)) if several else []


def one_of_each(rows: Iterable[Row]) -> list[Row]:
    """Of each model version its newest answer about the part of the video that the newest answer of all is about.

    Args:
        rows: predictions with ``model_version`` and ``evidence_info``, as :func:`answers` has them, the newest first.
    """
    found: dict[str, Row] = {}
    part: Any = None
    for place, row in enumerate(rows):
        part = row.evidence_info.get(SEGMENT) if place == 0 else part
        if row.evidence_info.get(SEGMENT) == part:
            found.setdefault(row.model_version, row)
    return list(found.values())


def agreement(newest: Tube | None, others: Sequence[Tube | None]) -> float | None:
    """Mean vIoU of a suggestion with each of the others, in [0, 1]; None without others.

    Two that suggest nothing agree (1); one that does and one that does not disagree (0). The mean, because the lowest
    of several falls with every further version, however good these are: tasks that were asked more often would look
    worse than the others.

    Args:
        newest, others: tubes of one video; None where nothing is suggested.
    """
    if not others:
        return None
    return sum(_pair(newest, other) for other in others) / len(others)


def _pair(one: Tube | None, other: Tube | None) -> float:
    if one is None or other is None:
        return float(one is other)
    return viou(one, other)


def columns(session: Session, jobs: Mapping[int, Sequence[Any]]) -> dict[int, dict[str, Any]]:
    """``versions_compared`` and ``versions_agree`` of tasks; the tubes are read only where other predictions speak now.

    Args:
        jobs: by task, as :func:`answers` takes them.
    """
    found = {number: stored([]) for number in jobs}
    several = {number: rows for number, mine in jobs.items() if (rows := answers(mine))}
    if not several:
        return found
    known = {row.task_id: row for row in session.execute(_KNOWN, {"tasks": sorted(several)})}
    changed = {}
    for number, rows in several.items():
        row = known.get(number)
        if row is None or row.versions_compared != key_of(rows):
            changed[number] = rows
        else:
            found[number] = stored(rows, row.versions_agree)
    tubes = _tubes(session, {row for rows in changed.values() for row in rows})
    for number, rows in changed.items():
        found[number] = stored(rows, _computed(number, [tubes[row] for row in rows]))
    return found


def stored(rows: Sequence[int], value: float | None = None) -> dict[str, Any]:
    """The columns for these predictions; none where fewer than two model versions answered."""
    return {"versions_compared": key_of(rows), "versions_agree": value}


def _tubes(session: Session, numbers: Collection[int]) -> dict[int, Any]:
    if not numbers:
        return {}
    return {row.id: row for row in session.execute(_TUBES, {"predictions": sorted(numbers)})}


def _computed(task_id: int, rows: Sequence[Any]) -> float | None:
    """None where a stored tube cannot be read: the save or decision that led here is to be stored all the same."""
    try:
        newest, *others = (tube_of_rows(row.keyframes) for row in one_of_each(rows))
        return agreement(newest, others)
    except Exception:
        logger.exception("task %d: its suggestions cannot be compared", task_id)
        return None
