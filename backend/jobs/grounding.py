"""What happens in one job?

The video is fetched, the sentence grounded; the answer and the debt to Label Studio are stored in one transaction.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.annotations.keyframe_rows import keyframe_rows
from backend.db import deliveries, jobs, predictions
from backend.db.engine import Database
from backend.db.segments import Segment, as_segment
from backend.db.tables import Job, Prediction, Task, Video
from backend.jobs.engine import Engine, Progress
from backend.jobs.identity import prediction_identity, region_id
from backend.jobs.lease import LeaseLost
from backend.labelstudio.config import LabelConfigError, read_config
from backend.media import MediaFile
from backend.review.uncertainty import of_evidence
from stvg_core.errors import ModelError, NonFiniteError
from stvg_core.times import pack_times
from stvg_core.tube import Grounding, Tube, VideoInfo

logger = logging.getLogger(__name__)

MIN_IOU = 0.9
"""Keyframes may differ from the tube by so much, unless the worker is told otherwise: few enough to be corrected by
hand.
"""


class Media(Protocol):
    """Where videos come from."""

    def fetch(
        self, ref: str, *, task: int | None = None, project: int | None = None, alive: Callable[[], None] | None = None
    ) -> MediaFile: ...


def ground_job(
    database: Database, media: Media, engine: Engine, job: Job, progress: Progress, min_iou: float = MIN_IOU
) -> None:
    """Answer a leased job; its keyframes have at least ``min_iou`` with what was found, on every frame.

    Raises:
        StvgError: for a person; the job fails with it (or is tried again, for MediaUnavailable).
        LeaseLost, Stopping: nothing was stored.
    """
    require_version(engine, job)
    progress(0.0, "fetch")
    file = fetch_for(database, media, job, progress)
    answer_job(database, job, file, lambda: _ask(engine, file.path, job, progress), min_iou)


def require_version(engine: Engine, job: Job) -> None:
    """Have the engine answer as the version that the job asks for. Raises ModelError where it cannot."""
    if job.model_version != engine.model_version and not engine.become(job.model_version):
        raise ModelError(
            f"The job asks for model {job.model_version}, this worker has {engine.model_version}. Start web and worker "
            "with the same STVG_MODEL; jobs for an older model can be left."
        )


def fetch_for(database: Database, media: Media, job: Job, progress: Progress) -> MediaFile:
    """The job's video."""
    ref, numbers = place_of(database, job)
    return media.fetch(ref, **numbers, alive=lambda: progress(0.0, "fetch"))


def place_of(database: Database, job: Job) -> tuple[str, dict[str, int]]:
    """The address of the job's video and Label Studio's numbers of its task, as :meth:`Media.fetch` takes them.

    As they are now: while a job waits in line, its task may go to Label Studio, under another address.
    """
    query = select(Job.video_ref, Task.ls_task_id, Task.project_id).join(Task).where(Job.id == job.id)
    with database.read() as session:
        ref, number, project = session.execute(query).tuples().one()
    return ref, {"task": number, "project": project}


def is_known(database: Database, job: Job, file: MediaFile) -> bool:
    """Was the question answered before, for this job's task or for another?"""
    with database.read() as session:
        return predictions.find(session, _identity(job, file)) is not None


def answer_job(
    database: Database, job: Job, file: MediaFile, ask: Callable[[], Grounding], min_iou: float = MIN_IOU
) -> None:
    """Ask where the answer is not known yet, and store it, the end of the job and the debt to Label Studio together."""
    assert job.leased_by is not None
    identity = _identity(job, file)
    found = None if is_known(database, job, file) else ask()
    if found is not None:
        check(found)
    with database.write() as session:
        prediction = store_answer(session, identity, file, found, job.prompt, min_iou)
        if not jobs.finish(session, job.id, job.leased_by, prediction.id):
            raise LeaseLost
        # As they are now: meanwhile an annotator's question may have become the task's own, and a local task may have
        # gone to Label Studio, under another address.
        asked = session.get_one(Job, job.id, populate_existing=True, with_for_update=True)
        task = session.get_one(Task, job.task_id, populate_existing=True)
        if task.video_ref == asked.video_ref:
            task.video_id = prediction.video_id
            task.warning = warning_for(task, prediction.video)
        if asked.deliver:
            deliveries.owe(session, prediction.id, task.id)
            deliveries.tell_again(session, task.id)


def _identity(job: Job, file: MediaFile) -> str:
    return prediction_identity(file.sha256, job.query, job.model_version, job.prompt, as_segment(job.segment))


def _ask(engine: Engine, path: Path, job: Job, progress: Progress) -> Grounding:
    if job.prompt is None:
        return engine.ground(path, job.query, progress, **within(job))
    return engine.follow(path, job.query, job.prompt["frame"], job.prompt["box"], progress)


def within(job: Job) -> dict[str, Segment]:
    """What the engine is told of the part of the video that a job is about."""
    return part_or_all(as_segment(job.segment))


def part_or_all(segment: Segment | None) -> dict[str, Segment]:
    """The engine's further argument; none for all of a video."""
    return {} if segment is None else {"segment": segment}


def store_answer(
    session: Session, identity: str, file: MediaFile, found: Grounding | None, prompt: dict[str, Any] | None,
    min_iou: float = MIN_IOU,
) -> Prediction:  # fmt: skip
    """The prediction's row; where it is known already, ``found`` is None."""
    if found is None:
        known = predictions.find(session, identity)
        assert known is not None
        return known
    tube, evidence = found.tube, found.evidence
    video = store_video(session, file, found.video)
    return predictions.store(
        session,
        identity,
        video_id=video.id,
        query=found.query,
        attribute_query=found.attribute_query,
        action_query=found.action_query,
        model_version=found.model_version,
        region_id=region_id(identity),
        score=0.0 if tube is None else float(found.score),
        start_frame=None if tube is None else tube.start_frame,
        end_frame=None if tube is None else tube.end_frame,
        keyframes=None if tube is None else keyframe_rows(tube, min_iou=min_iou),
        timings={name: float(seconds) for name, seconds in found.timings.items()},
        evidence=evidence.to_bytes(),
        evidence_chosen=int(evidence.chosen),
        evidence_consistency=float(evidence.consistency) if math.isfinite(evidence.consistency) else None,
        evidence_info=jsonable(evidence.info),
        prompt=prompt,
        uncertainty=uncertainty_of(found),
    )


def uncertainty_of(found: Grounding) -> float:
    """In [0, 1]; where nothing was found a person looks first."""
    return 1.0 if found.tube is None else of_evidence(found.evidence).value


def store_video(session: Session, file: MediaFile, info: VideoInfo) -> Video:
    """The row of a video's content."""
    return predictions.store_video(
        session,
        file.sha256,
        width=info.width,
        height=info.height,
        fps_num=info.fps_num,
        fps_den=info.fps_den,
        n_frames=info.n_frames,
        duration_s=float(info.duration_s),
        size_bytes=file.size_bytes,
        variable_rate=bool(info.variable_rate),
        warnings=list(info.warnings),
        frame_times=None if info.times is None else pack_times(info.times),
    )


def check(found: Grounding) -> None:
    """Nothing that Label Studio would silently drop may be stored."""
    if not math.isfinite(found.score) or not 0 <= found.score <= 1:
        raise NonFiniteError("The score is not a number between 0 and 1; nothing is stored.")
    if found.tube is not None:
        check_frames(found.tube, found.video)
        if not (found.tube.boxes[:, 2:] > found.tube.boxes[:, :2]).all():
            raise NonFiniteError("A box of the tube has no area inside of the picture; nothing is stored.")


def check_frames(tube: Tube, video: VideoInfo) -> None:
    """The video has all the frames of the tube."""
    if tube.end_frame >= video.n_frames:
        raise NonFiniteError(f"The tube ends at frame {tube.end_frame} of {video.n_frames}; nothing is stored.")


def jsonable(value: Any) -> Any:
    """Plain numbers, strings, lists and dictionaries of whatever small facts came with the evidence."""
    if isinstance(value, dict):
        return {str(key): jsonable(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [jsonable(entry) for entry in value]
    if hasattr(value, "tolist"):
        return jsonable(value.tolist())
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def warning_for(task: Task, video: Video) -> str | None:
    """What a person must know of this task's video: a wrong frame rate on the page, or what the probe said."""
    said = [str(sentence) for sentence in video.warnings]
    uneven = video.variable_rate
    try:
        config = read_config(task.project.label_config)
    except LabelConfigError as error:
        said.append(str(error))
    else:
        if config.has_frame_rate(task.data):  # a missing one is written
            problem = config.frame_rate_problem(task.data, video.fps)
            said += [problem] if problem else []
        uneven = uneven and config.video_of(task.data) == config.played_of(task.data)  # a copy has an even rate
    if uneven:
        said.append("The video has a variable frame rate: Label Studio shows its frames at other moments.")
    return " ".join(said) or None
