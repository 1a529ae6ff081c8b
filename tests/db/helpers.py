"""Rows that many tests need."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event, select
from sqlalchemy.orm import Session

from backend.db import jobs, predictions, projects, task_state, tasks
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Task

CONFIG = """<View><Header value="$query"/><Labels name="label" toName="video"><Label value="Target"/></Labels>
<TimelineLabels name="span" toName="video"><Label value="Match"/></TimelineLabels>
<Choices name="verdict" toName="video"><Choice value="correct"/><Choice value="absent"/></Choices>
<Video name="video" value="$video" frameRate="$fps"/><VideoRectangle name="box" toName="video"/>
<TextArea name="ask" toName="video" smart="true"/>
<TextArea name="counts" toName="video" perRegion="true" displayMode="region-list"
 placeholder="Written by the backend"/></View>"""


def a_task(session: Session, number: int = 11, *, project: int = 1, query: str = "the red box") -> Task:
    projects.register(session, project, CONFIG)
    ref = f"/data/upload/1/{number}.mp4"
    data = {"video": ref, "query": query, "fps": 25}
    return tasks.remember(session, project_id=project, ls_task_id=number, video_ref=ref, query=query, data=data)


def a_job(session: Session, task: Task, *, identity: str = "i", priority: int = 0, deliver: bool = True) -> Job:
    job, _ = jobs.enqueue(
        session,
        identity=identity,
        task_id=task.id,
        video_ref=task.video_ref,
        query=task.query,
        model_version="m",
        priority=priority,
        deliver=deliver,
    )
    return job


def a_prediction(session: Session, *, identity: str = "p", query: str = "the red box") -> Prediction:
    video = predictions.store_video(
        session, "0" * 64, width=320, height=240, fps_num=25, fps_den=1, n_frames=50, duration_s=2.0, size_bytes=9
    )
    return predictions.store(
        session,
        identity,
        video_id=video.id,
        query=query,
        attribute_query=query,
        action_query=query,
        model_version="m",
        region_id=f"tube-{identity}",
        score=0.5,
        start_frame=2,
        end_frame=9,
        keyframes=[[2, 0.1, 0.1, 0.4, 0.4], [9, 0.3, 0.1, 0.6, 0.4]],
        evidence=b"evidence",
        evidence_chosen=0,
        evidence_info={"p_yes": float("nan"), "words": "a\x00b"},
    )


def becomes(session: Session, row: Job | Prediction, **values: Any) -> None:
    """Set columns of a job or prediction by hand, and where its tasks stand by that."""
    for name, value in values.items():
        setattr(row, name, value)
    session.flush()
    mine = [row.task_id] if isinstance(row, Job) else session.scalars(select(Task.id)).all()
    task_state.refresh(session, mine)


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """What is sent to the database meanwhile, without the beginnings of transactions."""
    seen: list[str] = []

    def note(_: Any, __: Any, statement: str, *rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            seen.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
