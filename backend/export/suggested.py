"""Which suggestions did a reviewer accept as they are, where nobody annotated? They are labels too, by no annotator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from backend.annotations.rows import keyframes as stored_keyframes
from backend.db.reviews import ACCEPTED
from backend.db.standing import standing
from backend.db.tables import Prediction, Project, Review, Task, Video
from backend.export.record import Record
from backend.export.selection import Selection
from backend.labelstudio.config import find_config
from stvg_core.keyframes import expand

ORIGIN = "suggested"
_PAGE = 200


def accepted_suggestions(
    session: Session, counts: Counter[str], *, project_id: int | None, selection: Selection
) -> Iterator[Record]:
    """Stream them in order of video, project and task; ``counts`` as in :func:`backend.export.records.records`."""
    stands = standing().c
    statement = (
        select(Task, Video, Prediction, Project.label_config, Review.created_at)
        .join(standing(), stands.task_id == Task.id)
        .join(Review, Review.id == stands.review_id)
        .join(Prediction, Prediction.id == stands.prediction_id)
        .join(Video, Video.id == Prediction.video_id)
        .join(Project, Project.id == Task.project_id)
        .where(stands.state == ACCEPTED, stands.annotation_id.is_(None))
        .order_by(Video.id, Task.project_id, Task.ls_task_id)
        .options(defer(Prediction.evidence_info))
    )
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    for task, video, prediction, label_config, moment in session.execute(
        statement, execution_options={"yield_per": _PAGE}
    ):
        if not prediction.keyframes:
            counts["accepted as not there"] += 1
            continue
        if selection.annotators:
            counts["accepted, by no annotator"] += 1
            continue
        keyframes, config = tuple(stored_keyframes(prediction.keyframes)), find_config(label_config)
        tube = expand(keyframes)
        found = Record(
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
            origin=ORIGIN,
            verdict=None,
            judged_wrong=False,
            moment=moment,
            model_version=prediction.model_version,
            config=config,
            data=task.data,
            decision=ACCEPTED,
        )
        objection = selection.objection(found)
        if objection is not None:
            counts[objection] += 1
            continue
        counts["exported"] += 1
        counts[ORIGIN] += 1
        yield found
