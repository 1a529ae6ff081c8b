"""Annotated tasks in the database, as the webhook's reader leaves them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from backend.db import annotations, predictions, projects, tasks
from backend.db.tables import Prediction, Task, Video
from labeling_config import video_tube

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROPOSED = [[2, 0.1, 0.1, 0.4, 0.4], [9, 0.3, 0.1, 0.6, 0.4]]
CORRECTED = [[4, 0.1, 0.1, 0.4, 0.4], [9, 0.3, 0.1, 0.6, 0.4]]


def a_video(session: Session, content: str = "a") -> Video:
    """320x240, 25 fps, 50 frames."""
    return predictions.store_video(
        session, content * 64, width=320, height=240, fps_num=25, fps_den=1, n_frames=50, duration_s=2.0, size_bytes=9
    )


def a_task(
    session: Session,
    number: int = 1,
    *,
    video: Video | None = None,
    ref: str | None = None,
    query: str = "the red box",
    project: int = 7,
) -> Task:
    projects.register(session, project, video_tube())
    ref = ref or f"/data/local-files/?d=clips/{number}.mp4"
    task = tasks.remember(session, project_id=project, ls_task_id=number, video_ref=ref, query=query, data={"fps": 25})
    task.video_id = (video or a_video(session)).id
    session.flush()
    return task


def a_prediction(session: Session, task: Task) -> Prediction:
    assert task.video_id is not None
    return predictions.store(
        session,
        f"identity-{task.project_id}-{task.ls_task_id}",
        video_id=task.video_id,
        query=task.query,
        attribute_query=task.query,
        action_query=task.query,
        model_version="m",
        region_id=f"tube-{task.ls_task_id}",
        score=0.5,
        start_frame=2,
        end_frame=9,
        keyframes=PROPOSED,
        evidence=b"",
        evidence_chosen=0,
    )


def a_tube(
    keyframes: list[Any] = PROPOSED,
    *,
    label: str | None = "Target",
    region: str = "r1",
    intervals: list[Any] | None = None,
) -> dict[str, Any]:
    intervals = intervals or [[keyframes[0][0], keyframes[-1][0]]]
    return {"region_id": region, "label": label, "keyframes": keyframes, "intervals": intervals}


def annotate(
    session: Session,
    task: Task,
    *tubes: dict[str, Any],
    number: int | None = None,
    minute: int = 0,
    prediction: Prediction | None = None,
    author: int | None = 3,
    **values: Any,
) -> None:
    """One more version of annotation ``number``, saved ``minute`` minutes after noon."""
    number = number or 100 + task.ls_task_id
    annotations.add_version(
        session,
        digest=f"{number}-{minute}-{len(tubes)}-{values}"[:64],
        ls_annotation_id=number,
        task_id=task.id,
        prediction_id=prediction.id if prediction else None,
        tubes=list(tubes),
        author_id=author,
        ls_updated_at=START + timedelta(minutes=minute),
        **values,
    )
