"""Corrected labels as truths, stored predictions as predictions.

A task knows its video by an address, a dataset by a file name: both sides are named by the file name in the address,
and videos of different content that share a name are told apart by the beginning of their hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db.segments import Segment, segment_of
from backend.db.tables import Prediction as StoredPrediction
from backend.db.tables import Task, TaskState, Video
from backend.db.tasks import OTHERS
from backend.export.records import records
from backend.export.selection import Selection
from stvg_core.errors import QueryError
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.keyframes import Keyframe, expand
from stvg_core.query import normalise_query
from stvg_core.tube import Tube

_UNREAD_SIZE, _UNREAD_FPS = (1920, 1080), 25.0
"""Of a video that was never read; its truth's boxes are shares of the picture, to which predictions are brought."""

Name = Callable[[str, str], str]
"""A video's name from its address and its hash: the ``name`` of one ``VideoNames`` for truths and predictions."""


def corrected_truths(
    session: Session, name: Name, counts: Counter[str], *, project_id: int | None, accepted_only: bool
) -> list[Truth]:
    """One truth per corrected label, as the exports have them; ``counts`` says why other tasks have none.

    A suggestion that nobody annotated is no truth: it would be compared with itself.
    """
    truths = []
    for record in records(
        session, counts, project_id=project_id, selection=Selection(accepted_only=accepted_only), suggested=False
    ):
        video = record.video
        truth = Truth.of_tube(
            name(record.video_ref, video.sha256), record.query, record.tube, size=(video.width, video.height),
            fps=video.fps, n_frames=video.n_frames, category=record.label,
            seconds=_lasts(video, record.tube) if video.variable_rate else None,
        )  # fmt: skip
        truths.append(_of_part(truth, record.data))
    return truths


def _of_part(truth: Truth, data: dict[str, Any]) -> Truth:
    """The truth of a task that is about a part of its video; ``data`` are the task's."""
    part = segment_of(data)
    return truth if part is None else replace(truth, segment=part)


@dataclass
class SourceTruths:
    """The tubes that the sources of tasks say are right (``Task.truth``), of tasks that nobody annotated.

    Attributes:
        unanswered: how many are of tasks that were never answered: without a prediction each counts 0.
        first_of_several: how many are one of several true tubes that the source has for the video and the sentence (as
            VidSTG has for parts of a video): only the first was kept.
    """

    truths: list[Truth] = field(default_factory=list)
    unanswered: int = 0
    first_of_several: int = 0


def source_truths(session: Session, name: Name, *, project_id: int | None) -> SourceTruths:
    """In order of projects and tasks; a task that somebody annotated has its label instead."""
    statement = (
        select(Task, Video)
        .outerjoin(Video, Task.video_id == Video.id)
        .join(TaskState, TaskState.task_id == Task.id)
        .where(Task.truth.is_not(None), TaskState.annotation_id.is_(None))
        .order_by(Task.project_id, Task.ls_task_id)
    )
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    found = SourceTruths()
    for task, video in session.execute(statement, execution_options={"yield_per": 200}):
        tube = _rows((task.truth or {}).get("keyframes"))
        if tube is not None:
            found.truths.append(_of_part(_of_source(task, video, tube, name), task.data))
            found.unanswered += video is None
            found.first_of_several += bool((task.truth or {}).get(OTHERS))
    return found


def _of_source(task: Task, video: Video | None, tube: Tube, name: Name) -> Truth:
    category = task.data.get("category")
    said = category if isinstance(category, str) else None
    if video is None:
        return Truth.of_tube(
            name(task.video_ref, ""), task.query, tube, size=_UNREAD_SIZE, fps=_UNREAD_FPS,
            n_frames=tube.end_frame + 1, category=said, size_known=False,
        )  # fmt: skip
    return Truth.of_tube(
        name(task.video_ref, video.sha256), task.query, tube, size=(video.width, video.height), fps=video.fps,
        n_frames=max(video.n_frames, tube.end_frame + 1), category=said,
        seconds=_lasts(video, tube) if video.variable_rate and tube.end_frame < video.n_frames else None,
    )  # fmt: skip


def _lasts(video: Video, tube: Tube) -> float | None:
    """Seconds from the first frame's start to the last one's end, by the pictures' own times; None where not known."""
    start, last = video.seconds_of(tube.start_frame), video.seconds_of(tube.end_frame)
    if start is None or last is None:
        return None
    end = video.seconds_of(tube.end_frame + 1) if tube.end_frame + 1 < video.n_frames else max(last, video.duration_s)
    return None if end is None else end - start


def newest_predictions(
    session: Session, name: Name, *, project_id: int | None, model_version: str | None
) -> list[Prediction]:
    """The newest prediction for each task's video (or the part of it that is meant) and sentence, in order of tasks.

    Args:
        model_version: only predictions of this version, as ``stvg serve`` reports it.
    """
    statement = (
        select(Task, Video, StoredPrediction)
        .join(Video, Task.video_id == Video.id)
        .join(StoredPrediction, StoredPrediction.video_id == Video.id)
        .order_by(Task.project_id, Task.ls_task_id, StoredPrediction.created_at.desc(), StoredPrediction.id.desc())
    )
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    if model_version is not None:
        statement = statement.where(StoredPrediction.model_version == model_version)
    # By the video's whole name: two may differ in their folder only.
    found: dict[tuple[str, str, Segment | None], Prediction] = {}
    for task, video, stored in session.execute(statement, execution_options={"yield_per": 200}):
        part = segment_of(task.data)
        if _normalised(task.query) != stored.query or stored.evidence_info.get("segment") != (part and list(part)):
            continue
        prediction = Prediction.of_tube(
            name(task.video_ref, video.sha256), task.query, _tube(stored), (video.width, video.height),
            stored.model_version,
        )  # fmt: skip
        prediction = replace(prediction, segment=part)
        found.setdefault((prediction.video, prediction.key[1], part), prediction)
    return list(found.values())


def _normalised(query: str) -> str | None:
    """A sentence as predictions are stored under it; None where it could never have been asked."""
    try:
        return normalise_query(query)
    except QueryError:
        return None


def _tube(stored: StoredPrediction) -> Tube | None:
    return _rows(stored.keyframes)


def _rows(rows: list[Any] | None) -> Tube | None:
    if not rows:
        return None
    return expand([Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in rows])
