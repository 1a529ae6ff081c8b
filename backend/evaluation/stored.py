"""Corrected labels as truths, stored predictions as predictions.

A task knows its video by an address, a dataset by a file name: both sides are named by the file name in the address,
and videos of different content that share a name are told apart by the beginning of their hash.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from backend.db.tables import Prediction as StoredPrediction
from backend.db.tables import Task, Video
from backend.export.records import records
from backend.export.selection import Selection
from stvg_core.errors import QueryError
from stvg_core.evaluation.samples import Prediction, Truth
from stvg_core.keyframes import Keyframe, expand
from stvg_core.query import normalise_query
from stvg_core.tube import Tube

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
        truths.append(
            Truth.of_tube(
                name(record.video_ref, video.sha256), record.query, record.tube, size=(video.width, video.height),
                fps=video.fps, n_frames=video.n_frames, category=record.label,
                seconds=_lasts(video, record.tube) if video.variable_rate else None,
            )
        )  # fmt: skip
    return truths


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
    """The newest prediction for each task's video and sentence, in order of tasks.

    Args:
        model_version: only predictions of this version, as ``stvg serve`` reports it.
    """
    statement = (
        select(Task, Video, StoredPrediction)
        .join(Video, Task.video_id == Video.id)
        .join(StoredPrediction, StoredPrediction.video_id == Video.id)
        .order_by(Task.project_id, Task.ls_task_id, StoredPrediction.created_at.desc(), StoredPrediction.id.desc())
        .options(defer(Task.data), defer(StoredPrediction.evidence_info))
    )
    if project_id is not None:
        statement = statement.where(Task.project_id == project_id)
    if model_version is not None:
        statement = statement.where(StoredPrediction.model_version == model_version)
    found: dict[tuple[str, str], Prediction] = {}  # by the video's whole name: two may differ in their folder only
    for task, video, stored in session.execute(statement, execution_options={"yield_per": 200}):
        if _normalised(task.query) != stored.query:
            continue
        prediction = Prediction.of_tube(
            name(task.video_ref, video.sha256), task.query, _tube(stored), (video.width, video.height),
            stored.model_version,
        )  # fmt: skip
        found.setdefault((prediction.video, prediction.key[1]), prediction)
    return list(found.values())


def _normalised(query: str) -> str | None:
    """A sentence as predictions are stored under it; None where it could never have been asked."""
    try:
        return normalise_query(query)
    except QueryError:
        return None


def _tube(stored: StoredPrediction) -> Tube | None:
    if not stored.keyframes:
        return None
    return expand([Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in stored.keyframes])
