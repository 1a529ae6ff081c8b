"""Which labels are there? One record per task, and one for each further object with a sentence of its own.

A task's label is its newest human annotation that is neither deleted nor a skip. A proposal that was judged wrong and
left as it was is no label; one that a reviewer accepted before anybody annotated is. All formats are written from this
one iterator.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from itertools import groupby
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, defer, load_only

from backend.annotations import marks
from backend.annotations.keyframe_rows import keyframes as stored_keyframes
from backend.annotations.target import target_entry
from backend.db import diffs, reviews
from backend.db.tables import Annotation, Prediction, Project, Task, Video
from backend.export.record import Record
from backend.export.selection import Selection
from backend.export.suggestions import accepted_suggestions
from backend.labelstudio.config import LabelConfig, find_config
from backend.review.diff import SAME_IOU
from backend.review.drawn_tube import further_entries
from stvg_core.boxes import box_iou
from stvg_core.keyframes import expand
from stvg_core.tube import Tube

_PAGE = 200
_OF_PREDICTION = Prediction.region_id, Prediction.model_version, Prediction.keyframes
"""What lies behind the evidence in a row is slow to reach on SQLite."""

EVERYTHING = Selection()
OUTDATED = "another file lies at the video's address since it was saved; save it again where it still fits"
"""Why a label stays behind: its boxes are of other pictures."""


@dataclass(frozen=True)
class _Candidate:
    """The version that counts of one annotation, with what belongs to it."""

    annotation: Annotation
    task: Task
    video: Video | None
    prediction: Prediction | None
    config: LabelConfig | None
    decision: str | None


def records(
    session: Session,
    counts: Counter[str],
    *,
    project_id: int | None = None,
    selection: Selection = EVERYTHING,
    shared: list[int] | None = None,
    suggested: bool = True,
) -> Iterator[Record]:
    """Stream the records in order of video, project and task.

    Writes in the meantime change nothing, where the session looks at one snapshot (:func:`one_snapshot`); only a few
    hundred rows are in memory at a time. Read it to the end before the session closes.

    Args:
        counts: filled with how many tasks became a record ("exported", and by origin) and why others did not; under a
            kind of mark, how many records a person should look at for it (``backend.annotations.marks``).
        project_id: only this Label Studio project.
        selection: which of the labels that count; the others are counted with the reason.
        shared: filled with the tasks (our rows) that are exported and that several people labelled.
        suggested: also suggestions that a reviewer accepted as they are, before anybody annotated.
    """
    drawn = _annotated(session, counts, project_id, selection, shared)
    if not suggested:
        return drawn
    accepted = accepted_suggestions(session, counts, project_id=project_id, selection=selection)
    return merge(drawn, accepted, key=lambda record: (record.video.id, record.project_id, record.task_id))


def _annotated(
    session: Session, counts: Counter[str], project_id: int | None, selection: Selection, shared: list[int] | None
) -> Iterator[Record]:
    for candidates in _by_task(session, project_id):
        kept = [candidate for candidate in candidates if not candidate.annotation.was_cancelled]
        chosen = _chosen(kept, selection)
        labels: Iterable[Record | str] = [chosen] if isinstance(chosen, str) else _labels(session, chosen, selection)
        for found in labels:
            if isinstance(found, str):
                counts[found] += 1
                continue
            counts["exported"] += 1
            counts[found.origin] += 1
            counts.update(found.marks)
            if shared is not None and found.object == 0 and len(kept) > 1 and isinstance(chosen, _Candidate):
                shared.append(chosen.task.id)
            yield found


def one_snapshot(session: Session) -> None:
    """Later statements see what the first one saw. SQLite's reading transactions do so anyway."""
    if session.get_bind().dialect.name == "postgresql" and not session.in_transaction():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def addresses(session: Session) -> Iterable[str]:
    """Every address that a task has: whose names must be told apart."""
    return session.scalars(select(Task.video_ref).distinct())


def _chosen(kept: Sequence[_Candidate], selection: Selection) -> _Candidate | str:
    """The annotation that counts of a task's, or why there is none."""
    if not kept:
        return "skipped by the annotator"
    wanted = [c for c in kept if not selection.annotators or c.annotation.author_id in selection.annotators]
    if not wanted:
        return "labelled by others"
    return max(wanted, key=lambda candidate: (_moment(candidate.annotation), candidate.annotation.id))


def _labels(session: Session, candidate: _Candidate, selection: Selection) -> Iterator[Record | str]:
    """An annotation's objects: the task's own, then those with a sentence of their own; or why one stays behind."""
    for found in (_record(candidate), *_further(session, candidate)):
        yield found if isinstance(found, str) else selection.objection(found) or found


def _further(session: Session, candidate: _Candidate) -> Iterator[Record | str]:
    entries = further_entries(candidate.annotation.tubes)
    if not entries:
        return
    # Diffs are written with their version and never changed: asking again in the middle of the stream is no risk.
    compared = diffs.further(session, annotation_ids=[candidate.annotation.id]).get(candidate.annotation.id, [])
    suggested = {row.object: row.prediction for row in compared}
    for number, entry in entries:
        found = _record(replace(candidate, prediction=suggested.get(number)), entry)
        if isinstance(found, Record):
            found = replace(found, object=number, query=str(entry["sentence"]), verdict=None, judged_wrong=False)
        yield found


def _by_task(session: Session, project_id: int | None) -> Iterator[list[_Candidate]]:
    """The versions that count, by task, in order of video, project and task.

    The order is found on short columns first; the long ones are loaded a page at a time, so neither the database nor
    this process sorts or holds them all.
    """
    order = Task.video_id, Task.project_id, Task.ls_task_id, Annotation.ls_annotation_id
    columns = Annotation.id, Annotation.task_id
    query = select(*columns).join(Task, Annotation.task_id == Task.id).where(Annotation.current.is_(True))
    if project_id is not None:
        query = query.where(Task.project_id == project_id)
    found = session.execute(query.order_by(*order)).all()
    tasks = [[row.id for row in of_task] for _, of_task in groupby(found, key=lambda row: row.task_id)]
    for first in range(0, len(tasks), _PAGE):
        page = tasks[first : first + _PAGE]
        loaded = _loaded(session, [number for numbers in page for number in numbers])
        for numbers in page:
            yield [loaded[number] for number in numbers]


def _loaded(session: Session, numbers: Sequence[int]) -> dict[int, _Candidate]:
    """Versions with their task, video, proposal, interface and decision, by row."""
    statement = (
        select(Annotation, Task, Video, Prediction, Project.label_config, reviews.decision_of_version())
        .join(Task, Annotation.task_id == Task.id)
        .join(Project, Task.project_id == Project.id)
        .outerjoin(Video, Task.video_id == Video.id)
        .outerjoin(Prediction, Annotation.prediction_id == Prediction.id)
        .where(Annotation.id.in_(numbers))
        .options(defer(Annotation.result), load_only(*_OF_PREDICTION))
    )
    return {
        row.Annotation.id: _Candidate(
            row.Annotation, row.Task, row.Video, row.Prediction, find_config(row.label_config), row.decision
        )
        for row in session.execute(statement)
    }


def _moment(annotation: Annotation) -> datetime:
    return annotation.ls_updated_at or annotation.received_at


def _record(candidate: _Candidate, further: Mapping[str, Any] | None = None) -> Record | str:
    """The record of the task's own object, or of a further one's entry; or why there is none."""
    annotation, task, video = candidate.annotation, candidate.task, candidate.video
    if annotation.problem:
        return "annotation unreadable"
    if video is None:
        return "video never read"
    if annotation.outdated:
        return OUTDATED
    chosen = further or _target(annotation.tubes, candidate)
    if chosen is None:
        return "no box drawn"
    keyframes = tuple(stored_keyframes(chosen["keyframes"]))
    tube = expand(keyframes)
    if tube.end_frame >= video.n_frames:
        return "annotation unreadable"
    origin = _origin(tube, candidate.prediction)
    judged_wrong = candidate.config is not None and candidate.config.judges_wrong(annotation.verdict)
    if origin == "accepted" and judged_wrong and further is None:
        return "judged wrong and not corrected"
    drawn = chosen.get("intervals") or [[tube.start_frame, tube.end_frame]]
    intervals = tuple((int(first), int(last)) for first, last in drawn)
    return Record(
        project_id=task.project_id,
        task_id=task.ls_task_id,
        annotation_id=annotation.ls_annotation_id,
        author_id=annotation.author_id,
        video_ref=task.video_ref,
        video=video,
        query=task.query,
        tube=tube,
        keyframes=keyframes,
        intervals=intervals,
        label=chosen.get("label"),
        origin=origin,
        verdict=annotation.verdict,
        judged_wrong=judged_wrong,
        moment=_moment(annotation),
        model_version=candidate.prediction.model_version if candidate.prediction else None,
        config=candidate.config,
        data=task.data,
        decision=candidate.decision,
        marks=marks.of_entry(chosen),
    )


def _target(tubes: list[Any], candidate: _Candidate) -> Mapping[str, Any] | None:
    label = next(iter(candidate.config.labels), None) if candidate.config else None
    return target_entry(
        tubes, label=label, region_id=candidate.prediction.region_id if candidate.prediction else None
    )  # fmt: skip


def _origin(tube: Tube, prediction: Prediction | None) -> str:
    if prediction is None or not prediction.keyframes:
        return "drawn"
    proposed = expand(stored_keyframes(prediction.keyframes))
    if (tube.start_frame, tube.end_frame) != (proposed.start_frame, proposed.end_frame):
        return "corrected"
    return "accepted" if float(box_iou(tube.boxes, proposed.boxes).min()) >= SAME_IOU else "corrected"
