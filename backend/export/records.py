"""Which corrected labels are there? One record per task, from one look at the database.

A task's label is its newest human annotation that is neither deleted nor a skip. A proposal that was judged wrong and
left as it was is no label. All formats are written from this one iterator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session, aliased, defer

from backend.db.tables import Annotation, Prediction, Project, Task, Video
from backend.labelstudio.config import LabelConfig, LabelConfigError, read_config
from backend.labelstudio.result import read_spans
from stvg_core.keyframes import Keyframe, expand
from stvg_core.metrics import box_iou
from stvg_core.tube import Tube

SAME_IOU = 0.99
"""A tube that was only stored and read back (rounded, simplified) stays above this on every frame."""

_PAGE = 200


@dataclass(frozen=True)
class Record:
    """One corrected label: a sentence and its tube in a video.

    Attributes:
        project_id, task_id, annotation_id: Label Studio's numbers.
        author_id: Label Studio's number of the person.
        video_ref: the video's address as the task has it.
        video: width, height, frame rate, frames, as probed.
        tube: the target's, filled where it was switched off; ``intervals`` are the frames on which it is drawn.
        origin: "accepted" (the proposal as it was), "corrected" or "drawn" (without a proposal).
        verdict: what the person said of the proposal.
        span_differs: the range on the timeline is another than the box's; the box counts.
    """

    project_id: int
    task_id: int
    annotation_id: int
    author_id: int | None
    video_ref: str
    video: Video
    query: str
    tube: Tube
    intervals: tuple[tuple[int, int], ...]
    label: str | None
    origin: str
    verdict: str | None
    span_differs: bool = False


@dataclass(frozen=True)
class _Candidate:
    """The version that counts of one annotation, with what belongs to it."""

    annotation: Annotation
    task: Task
    video: Video | None
    prediction: Prediction | None
    config: LabelConfig | None


def records(session: Session, counts: Counter[str], *, project_id: int | None = None) -> Iterator[Record]:
    """Stream the records in order of project and task.

    Everything comes from one statement, so that writes in the meantime change nothing, and only a few hundred rows are
    in memory at a time. Read it to the end before the session closes.

    Args:
        counts: filled with how many tasks became a record ("exported", and by origin) and why others did not; "span
            differs" are records whose range on the timeline says another time than the box.
    """
    rows = session.execute(_statement(project_id), execution_options={"yield_per": _PAGE})
    for _, of_task in groupby(rows, key=lambda row: (row.Task.project_id, row.Task.ls_task_id)):
        candidates = [_newest(versions) for _, versions in groupby(of_task, lambda r: r.Annotation.ls_annotation_id)]
        kept = [candidate for candidate in candidates if not candidate.annotation.was_cancelled]
        if not kept:
            counts["skipped by the annotator"] += 1
            continue
        found = _record(max(kept, key=lambda candidate: _moment(candidate.annotation)))
        if isinstance(found, str):
            counts[found] += 1
            continue
        counts["exported"] += 1
        counts[found.origin] += 1
        counts["span differs"] += found.span_differs
        yield found


def _statement(project_id: int | None) -> Select[Annotation, Task, Video, Prediction, str]:
    """Every version of every annotation that was not deleted, with its task, video, proposal and interface."""
    tombstone = aliased(Annotation)
    gone = exists().where(tombstone.ls_annotation_id == Annotation.ls_annotation_id, tombstone.deleted.is_(True))
    statement = (
        select(Annotation, Task, Video, Prediction, Project.label_config)
        .join(Task, Annotation.task_id == Task.id)
        .join(Project, Task.project_id == Project.id)
        .outerjoin(Video, Task.video_id == Video.id)
        .outerjoin(Prediction, Annotation.prediction_id == Prediction.id)
        .where(~gone)
        .order_by(Task.project_id, Task.ls_task_id, Annotation.ls_annotation_id, Annotation.version)
        .options(defer(Task.data), defer(Prediction.evidence_info))
    )
    return statement if project_id is None else statement.where(Task.project_id == project_id)


def _newest(versions: Iterable[Any]) -> _Candidate:
    """The version that Label Studio saved last: events may arrive out of order."""
    row = max(versions, key=lambda row: (_moment(row.Annotation), row.Annotation.version))
    return _Candidate(row.Annotation, row.Task, row.Video, row.Prediction, _config(row.label_config))


def _moment(annotation: Annotation) -> float:
    return (annotation.ls_updated_at or annotation.received_at).timestamp()


@lru_cache(maxsize=64)
def _config(xml: str) -> LabelConfig | None:
    try:
        return read_config(xml)
    except LabelConfigError:
        return None


def _record(candidate: _Candidate) -> Record | str:
    """The record, or why there is none."""
    annotation, task, video = candidate.annotation, candidate.task, candidate.video
    if annotation.problem:
        return "annotation unreadable"
    if video is None:
        return "video never read"
    chosen = _target(annotation.tubes, candidate)
    if chosen is None:
        return "no box drawn"
    tube = _tube(chosen["keyframes"])
    if tube.end_frame >= video.n_frames:
        return "annotation unreadable"
    origin = _origin(tube, candidate.prediction)
    if origin == "accepted" and _is_negative(annotation.verdict, candidate.config):
        return "judged wrong and not corrected"
    drawn = chosen.get("intervals") or [[tube.start_frame, tube.end_frame]]
    intervals = tuple((int(first), int(last)) for first, last in drawn)
    spans = read_spans(annotation.result, n_frames=video.n_frames)
    return Record(
        project_id=task.project_id,
        task_id=task.ls_task_id,
        annotation_id=annotation.ls_annotation_id,
        author_id=annotation.author_id,
        video_ref=task.video_ref,
        video=video,
        query=task.query,
        tube=tube,
        intervals=intervals,
        label=chosen.get("label"),
        origin=origin,
        verdict=annotation.verdict,
        span_differs=bool(spans) and spans != list(intervals),
    )


def _target(tubes: list[Any], candidate: _Candidate) -> dict[str, Any] | None:
    """Of several boxes, the one with the interface's first label; of those the proposal's own, then the longest."""
    target = next(iter(candidate.config.labels), None) if candidate.config else None
    proposed = candidate.prediction.region_id if candidate.prediction else None

    def rank(entry: dict[str, Any]) -> tuple[bool, bool, int]:
        frames = entry["keyframes"]
        length = int(frames[-1][0]) - int(frames[0][0])
        return entry.get("label") == target, entry.get("region_id") == proposed, length

    drawn = [entry for entry in tubes if entry.get("keyframes")]
    return max(drawn, key=rank, default=None)


def _tube(rows: list[Any]) -> Tube:
    """Stored ``[[frame, x1, y1, x2, y2], ...]`` as a tube."""
    return expand([Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in rows])


def _origin(tube: Tube, prediction: Prediction | None) -> str:
    if prediction is None or not prediction.keyframes:
        return "drawn"
    proposed = _tube(prediction.keyframes)
    if (tube.start_frame, tube.end_frame) != (proposed.start_frame, proposed.end_frame):
        return "corrected"
    return "accepted" if float(box_iou(tube.boxes, proposed.boxes).min()) >= SAME_IOU else "corrected"


def _is_negative(verdict: str | None, config: LabelConfig | None) -> bool:
    """Any verdict but "correct", where the interface offers that one; other choices say nothing of the proposal."""
    offered = {value.lower() for value in config.verdicts} if config else set()
    return verdict is not None and "correct" in offered and verdict.lower() != "correct"
