"""What happens in a job that a saved annotation wants?

A box whose end was set on the timeline is followed to it: what is found is stored by the video's content, and the
annotation is read again. A box that was drawn alone is followed over the range that was set around it, else to the ends
of its sentence's action: that is a prediction like the one for a box drawn with Auto-Annotation on, and only shown.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from backend.annotations.keyframe_rows import keyframe_rows
from backend.annotations.wish import Wish
from backend.annotations.wishes import wish_of
from backend.db import follow_results, jobs, predictions
from backend.db.engine import Database
from backend.db.tables import Job, Task
from backend.jobs.engine import Engine, Progress
from backend.jobs.grounding import Media, check, check_frames, fetch_for, store_answer, store_video
from backend.jobs.identity import prediction_identity
from backend.jobs.lease import LeaseLost
from backend.jobs.rereading import read_task_again
from backend.media import MediaFile

MIN_IOU = 0.99
"""What was followed keeps its shape: nobody corrects it by its keyframes."""


def follow_job(database: Database, media: Media, engine: Engine, job: Job, progress: Progress) -> None:
    """Do a leased job of a wish.

    Raises: as :func:`backend.jobs.grounding.ground_job`.
    """
    wish = wish_of(job)
    assert wish is not None
    progress(0.0, "fetch")
    file = fetch_for(database, media, job, progress)
    if wish.offer:
        _offer(database, engine, job, wish, file, progress)
    else:
        _extend(database, engine, job, wish, file, progress)


def _extend(database: Database, engine: Engine, job: Job, wish: Wish, file: MediaFile, progress: Progress) -> None:
    assert wish.first is not None and wish.last is not None and job.leased_by is not None
    with database.read() as session:
        known = follow_results.find(session, file.sha256, wish.key) is not None
    found = None if known else engine.extend(file.path, wish.frame, wish.box, wish.first, wish.last, progress)
    # Each step can be repeated: a worker that dies in between leaves the job to the next one.
    if found is not None:
        check_frames(found.tube, found.video)
        with database.write() as session:
            video = store_video(session, file, found.video)
            follow_results.store(
                session, file.sha256, wish.key, video_id=video.id, wish=wish.to_json(),
                keyframes=keyframe_rows(found.tube, min_iou=MIN_IOU), seen_first=found.seen[0], seen_last=found.seen[1],
            )  # fmt: skip
            task = session.get_one(Task, job.task_id)
            if task.video_ref == job.video_ref and task.video_id is None:
                task.video_id = video.id
    read_task_again(database, job.task_id)
    with database.write() as session:
        if not jobs.finish(session, job.id, job.leased_by, None):
            raise LeaseLost


def _offer(database: Database, engine: Engine, job: Job, wish: Wish, file: MediaFile, progress: Progress) -> None:
    assert job.leased_by is not None
    prompt: dict[str, Any] = {"frame": wish.frame, "box": list(wish.box), "label": (job.prompt or {}).get("label")}
    if wish.first is not None:
        prompt |= {"first": wish.first, "last": wish.last}
    identity = prediction_identity(file.sha256, job.query, engine.model_version, prompt)
    with database.read() as session:
        known = predictions.find(session, identity) is not None
    found = None if known else engine.follow(file.path, job.query, wish.frame, wish.box, progress)
    if found is not None and wish.first is not None and wish.last is not None:
        # The annotator said when; the model is asked for the rest of what a prediction holds.
        extended = engine.extend(file.path, wish.frame, wish.box, wish.first, wish.last, progress)
        found = replace(found, tube=extended.tube)
    if found is not None:
        check(found)
    with database.write() as session:
        prediction = store_answer(session, identity, file, found, prompt)
        if not jobs.finish(session, job.id, job.leased_by, prediction.id):
            raise LeaseLost
        task = session.get_one(Task, job.task_id)
        if task.video_ref == job.video_ref and task.video_id is None:
            task.video_id = prediction.video_id
