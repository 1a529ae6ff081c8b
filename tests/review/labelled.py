"""Tasks with a clip, a suggestion, its evidence and corrections, as the pages show them."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from backend.db import annotations, jobs, predictions, projects, tasks
from backend.db.tables import Annotation, Job, Prediction, Task
from backend.review import recording
from stvg_core.method.evidence import Evidence
from tests.db.helpers import CONFIG, becomes

SIZE = (320, 240)
FRAMES = 60
FPS = 25
SUGGESTED = [[10, 0.10, 0.20, 0.30, 0.50], [40, 0.40, 0.20, 0.60, 0.50]]
CORRECTED = [[14, 0.16, 0.25, 0.36, 0.55], [44, 0.46, 0.25, 0.66, 0.55]]


def evidence() -> Evidence:
    """Two tracks in six sampled frames; the second is chosen, and absent in the first frame."""
    slots = np.array([5, 15, 25, 35, 45, 55])
    boxes = np.tile(np.array([0.1, 0.2, 0.3, 0.5], dtype=np.float32), (2, 6, 1))
    boxes[1, :, [0, 2]] += np.linspace(0, 0.3, 6, dtype=np.float32)
    boxes[1, 0] = np.nan
    maps = np.arange(6 * 2 * 3, dtype=np.float16).reshape(6, 2, 3)
    return Evidence(
        slot_frames=slots,
        track_boxes=boxes,
        track_scores=np.array([0.2, 0.8]),
        chosen=1,
        consistency=0.5,
        track_scores_forward=np.array([0.1, 0.4]),
        track_scores_reversed=np.array([0.1, 0.4]),
        frame_scores=np.array([[0, 0.1, 0.1, 0.1, 0, 0], [0, 0.5, 1.0, 0.5, 0, 0]]),
        spatial_map=maps,
        temporal_map=maps[::-1],
        info={"spatial_question": "Is there the red box in this video?", "split": True},
    )


def a_task(session: Session, number: int, *, query: str = "the red box moves", name: str = "clip.mp4") -> Task:
    """Task ``number`` of project 1 on a local file of Label Studio's."""
    projects.register(session, 1, CONFIG)
    ref = f"/data/local-files/?d=clips/{name}"
    data = {"video": ref, "query": query, "fps": FPS}
    return tasks.remember(session, project_id=1, ls_task_id=number, video_ref=ref, query=query, data=data)


def a_job(session: Session, task: Task, **values: Any) -> Job:
    job, _ = jobs.enqueue(
        session,
        identity=f"job-{task.id}",
        task_id=task.id,
        video_ref=task.video_ref,
        query=task.query,
        model_version="m@1/0",
    )
    becomes(session, job, **values)
    return job


def a_suggestion(
    session: Session,
    task: Task,
    *,
    file: Path | None = None,
    fps: Fraction = Fraction(FPS),
    keyframes: list[Any] | None = SUGGESTED,
    times: bytes | None = None,
    variable: bool = False,
    **values: Any,
) -> Prediction:
    """The answer to the task's job; the video's row is of ``file``'s content."""
    content = task.video_ref.encode() if file is None else file.read_bytes()
    video = predictions.store_video(
        session,
        hashlib.sha256(content).hexdigest(),
        width=SIZE[0],
        height=SIZE[1],
        fps_num=fps.numerator,
        fps_den=fps.denominator,
        n_frames=FRAMES,
        duration_s=float(FRAMES / fps),
        size_bytes=len(content),
        variable_rate=variable,
        frame_times=times,
    )
    found = evidence()
    row = predictions.store(
        session,
        f"prediction-{task.id}",
        **{
            "video_id": video.id,
            "query": task.query,
            "attribute_query": "the red box",
            "action_query": "moves",
            "model_version": "m@1/0",
            "region_id": f"tube-{task.id}",
            "score": 0.7,
            "uncertainty": 0.4,
            "keyframes": keyframes,
            "start_frame": keyframes[0][0] if keyframes else None,
            "end_frame": keyframes[-1][0] if keyframes else None,
            "timings": {"attention": 1.5, "total": 2.0},
            "evidence": found.to_bytes(),
            "evidence_chosen": found.chosen,
            "evidence_consistency": found.consistency,
            "evidence_info": found.info,
            **values,
        },
    )
    a_job(session, task, state="done", prediction_id=row.id)
    task.video_id = video.id
    session.flush()
    return row


def a_correction(
    session: Session,
    task: Task,
    prediction: Prediction | None,
    *,
    who: int = 3,
    keyframes: list[Any] = CORRECTED,
    **values: Any,
) -> Annotation:
    """A version by annotator ``who``, with its diff; further calls are later versions."""
    number = 100 * task.id + who
    digest = f"{number}.{len(annotations.versions(session, number))}"
    regions = [
        {
            "region_id": f"tube-{task.id}",
            "label": "Target",
            "intervals": [[keyframes[0][0], keyframes[-1][0]]],
            "keyframes": keyframes,
        }
    ]
    annotations.add_version(
        session,
        digest=digest,
        ls_annotation_id=number,
        task_id=task.id,
        author_id=who,
        prediction_id=None if prediction is None else prediction.id,
        **{"tubes": regions, "verdict": "correct", "lead_time_s": 12.0, **values},
    )
    row = annotations.find(session, digest)
    assert row is not None
    recording.record(session, row)
    return row
