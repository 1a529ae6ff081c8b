"""Suggestions of tasks that nobody annotated: which of them did a reviewer accept, which has nobody looked at?

The first are labels too, by no annotator. The second are none: they leave by themselves, marked, when asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from backend.annotations.keyframe_rows import keyframes as stored_keyframes
from backend.db.tables import Prediction, Project, Task, TaskState, Video
from backend.db.task_state import ACCEPTED, SUGGESTED
from backend.export.record import Record
from backend.export.selection import Selection
from backend.labelstudio.config import find_config
from stvg_core import text
from stvg_core.datasets.review_marks import MARK
from stvg_core.keyframes import expand

ORIGIN = "suggested"
_PAGE = 200


def accepted_suggestions(
    session: Session, counts: Counter[str], *, project_id: int | None, selection: Selection
) -> Iterator[Record]:
    """Stream them in order of video, project and task; ``counts`` as in :func:`backend.export.records.records`."""
    for row in _rows(session, project_id, TaskState.decision == ACCEPTED):
        if not row.keyframes:
            counts["accepted as not there"] += 1
        elif selection.annotators:
            counts["accepted, by no annotator"] += 1
        else:
            yield from _counted(_record(row, ORIGIN, moment=row.since, decision=ACCEPTED), counts, selection)


def unreviewed_suggestions(
    session: Session, counts: Counter[str], *, project_id: int | None, selection: Selection
) -> Iterator[Record]:
    """Stream the suggestions about which nobody has spoken, neither by an annotation nor by a decision.

    The order is that of video, project and task. Of each task it is the newest suggestion.
    """
    for row in _rows(session, project_id, TaskState.state == SUGGESTED):
        if not row.keyframes:
            counts["the suggestion says that the object is not there"] += 1
        else:
            moment = row.suggested_at or row.stored_at
            yield from _counted(_record(row, MARK, moment=moment, decision=None), counts, selection)


def _counted(found: Record | str, counts: Counter[str], selection: Selection) -> Iterator[Record]:
    reason = found if isinstance(found, str) else selection.objection(found)
    if reason is not None:
        counts[reason] += 1
        return
    assert isinstance(found, Record)
    counts["exported"] += 1
    counts[found.origin] += 1
    yield found


def _rows(session: Session, project_id: int | None, wanted: ColumnElement[bool]) -> Iterator[Any]:
    """All that a record needs of tasks without an annotation; ordered by short columns first, then loaded in pages."""
    query = select(TaskState.task_id).join(Prediction, Prediction.id == TaskState.prediction_id)
    query = query.where(TaskState.annotation_id.is_(None), wanted)
    if project_id is not None:
        query = query.where(TaskState.project_id == project_id)
    query = query.join(Task, Task.id == TaskState.task_id)
    numbers = session.scalars(query.order_by(Prediction.video_id, Task.project_id, Task.ls_task_id)).all()
    for first in range(0, len(numbers), _PAGE):
        page = numbers[first : first + _PAGE]
        loaded = {row.Task.id: row for row in session.execute(_STATEMENT.where(Task.id.in_(page)))}
        for number in page:
            yield loaded[number]


# No long column (evidence) that would have to be read over.
_STATEMENT = (
    select(
        Task, Video, Prediction.keyframes, Prediction.query.label("sentence"), Prediction.model_version,
        Prediction.score, Prediction.video_id, Project.label_config, TaskState.since, TaskState.suggested_at,
        Task.created_at.label("stored_at"),
    )
    .select_from(TaskState)
    .join(Task, Task.id == TaskState.task_id)
    .join(Prediction, Prediction.id == TaskState.prediction_id)
    .join(Video, Video.id == Prediction.video_id)
    .join(Project, Project.id == Task.project_id)
)  # fmt: skip


def _record(row: Any, origin: str, *, moment: Any, decision: str | None) -> Record | str:
    """The suggestion as a record, or why it is none."""
    task, video = row.Task, row.Video
    if text.key(row.sentence) != text.key(task.query):
        return "the sentence was changed after the suggestion"
    if task.video_id != row.video_id:
        return "the video was changed after the suggestion"
    keyframes, config = tuple(stored_keyframes(row.keyframes)), find_config(row.label_config)
    tube = expand(keyframes)
    return Record(
        project_id=task.project_id,
        task_id=task.ls_task_id,
        annotation_id=None,
        author_id=None,
        video_ref=task.video_ref,
        video=video,
        query=task.query,
        tube=tube,
        keyframes=keyframes,
        intervals=((tube.start_frame, tube.end_frame),),
        label=next(iter(config.labels), None) if config else None,
        origin=origin,
        verdict=None,
        judged_wrong=False,
        moment=moment,
        model_version=row.model_version,
        config=config,
        data=task.data,
        decision=decision,
        score=row.score if origin == MARK else None,
    )
