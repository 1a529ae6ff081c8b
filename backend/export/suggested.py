"""Suggestions of tasks that nobody annotated: which of them did a reviewer accept, which has nobody looked at?

The first are labels too, by no annotator. The second are none: they leave by themselves, marked, when asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from backend.annotations.rows import keyframes as stored_keyframes
from backend.db.reviews import ACCEPTED
from backend.db.tables import Job, Prediction, Project, Review, Task, Video
from backend.export.record import Record
from backend.export.selection import Selection
from backend.export.unlabelled import unlabelled
from backend.labelstudio.config import find_config
from stvg_core import text
from stvg_core.datasets.unreviewed import MARK
from stvg_core.keyframes import expand

ORIGIN = "suggested"
_PAGE = 200


def accepted_suggestions(
    session: Session, counts: Counter[str], *, project_id: int | None, selection: Selection
) -> Iterator[Record]:
    """Stream them in order of video, project and task; ``counts`` as in :func:`backend.export.records.records`."""
    tasks = unlabelled(project_id)
    accepted = select(Review.id).where(Review.decision == ACCEPTED, Review.annotation_id.is_(None))
    statement = _statement(tasks).where(tasks.c.review_id.in_(accepted))
    for row in session.execute(statement, execution_options={"yield_per": _PAGE}):
        if not row.keyframes:
            counts["accepted as not there"] += 1
        elif selection.annotators:
            counts["accepted, by no annotator"] += 1
        else:
            yield from _counted(_record(row, ORIGIN, moment=row.decided_at, decision=ACCEPTED), counts, selection)


def unreviewed_suggestions(
    session: Session, counts: Counter[str], *, project_id: int | None, selection: Selection
) -> Iterator[Record]:
    """Stream the suggestions about which nobody has spoken, neither by an annotation nor by a decision.

    The order is that of video, project and task. Of each task it is the newest suggestion.
    """
    tasks = unlabelled(project_id)
    statement = _statement(tasks).where(tasks.c.review_id.is_(None), tasks.c.prediction_id.is_not(None))
    for row in session.execute(statement, execution_options={"yield_per": _PAGE}):
        if not row.keyframes:
            counts["the suggestion says that the object is not there"] += 1
        else:
            yield from _counted(
                _record(row, MARK, moment=row.finished_at or row.stored_at, decision=None), counts, selection
            )


def _counted(found: Record | str, counts: Counter[str], selection: Selection) -> Iterator[Record]:
    reason = found if isinstance(found, str) else selection.objection(found)
    if reason is not None:
        counts[reason] += 1
        return
    assert isinstance(found, Record)
    counts["exported"] += 1
    counts[found.origin] += 1
    yield found


def _statement(tasks: Any) -> Select[Any]:
    """All that a record needs, and no long column (evidence) that would have to be read over."""
    return (
        select(
            Task, Video, Prediction.keyframes, Prediction.query.label("sentence"), Prediction.model_version,
            Prediction.score, Prediction.video_id, Project.label_config, Review.created_at.label("decided_at"),
            Job.finished_at, Prediction.created_at.label("stored_at"), tasks.c.review_id,
        )
        .select_from(tasks)
        .outerjoin(Task, Task.id == tasks.c.task_id)
        .outerjoin(Prediction, Prediction.id == tasks.c.prediction_id)
        .outerjoin(Video, Video.id == Prediction.video_id)
        .outerjoin(Project, Project.id == Task.project_id)
        .outerjoin(Job, Job.id == tasks.c.job_id)
        .outerjoin(Review, Review.id == tasks.c.review_id)
        .order_by(Video.id, Task.project_id, Task.ls_task_id)
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
