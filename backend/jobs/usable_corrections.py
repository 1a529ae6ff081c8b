"""Which corrections can choose settings? Those that say where the object is, for answers whose looks were kept."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from backend.annotations import marks
from backend.db.reviews import REJECTED, SENT_BACK
from backend.db.segments import segment_of
from backend.db.tables import Annotation, Diff, Prediction, TaskState
from backend.jobs.versions import Versions
from backend.review import diff, recording
from stvg_core.calibration.items import Item
from stvg_core.calibration.rejoin import CannotRejoin, Rejoiner
from stvg_core.errors import QueryError
from stvg_core.method.evidence import Evidence
from stvg_core.query import SubQueries, normalise_query
from stvg_core.settings import GroundingSettings
from stvg_core.tube import SPLIT

MOST = 1000
"""Of so many tasks the newest corrections are used: the rows of all are in memory at once."""

_PAGE = 200

_NO_TRUTH = {diff.SKIPPED, diff.DELETED, diff.REJECTED, diff.UNREADABLE, diff.EMPTY}


@dataclass(frozen=True)
class Source:
    """Where an item's video is, and what was asked of it.

    Attributes:
        ref: the address in the task.
        task, project: Label Studio's numbers, which an address of a storage needs.
        sha256: of the bytes that were answered.
        sentence, parts: as it was asked, and as it was split.
    """

    ref: str
    task: int
    project: int
    sha256: str
    sentence: str
    parts: SubQueries


@dataclass
class Corrected:
    """Items that can be used, with their sources by name, and how many cannot, by reason."""

    items: list[Item] = field(default_factory=list)
    sources: dict[str, Source] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)


def gather(
    session: Session, versions: Versions, present: GroundingSettings, *, project_id: int | None = None
) -> Corrected:
    """The correction that stands for each task, with the scores of its sentence under the present looks."""
    found = Corrected()
    standing = _newest_first(session, project_id)
    for first in range(0, len(standing), _PAGE):
        page = standing[first : first + _PAGE]
        for place, (annotation, change, state) in enumerate(_loaded(session, page), first):
            if len(found.items) == MOST:
                found.left_out[f"older than the newest {MOST}"] += len(standing) - place
                break
            try:
                item, source = _item(session, annotation, change, state, versions, present)
                found.items.append(item)
                found.sources[item.name] = source
            except CannotRejoin as reason:
                found.left_out[str(reason)] += 1
        else:
            continue
        break
    found.items.sort(key=lambda item: item.name)
    return found


_Standing = tuple[int, int, str]


def _newest_first(session: Session, project_id: int | None) -> list[_Standing]:
    """Task, the version that stands for it, and the task's state."""
    saved = func.coalesce(Annotation.ls_updated_at, Annotation.received_at)
    query = select(TaskState.task_id, Annotation.id, TaskState.state)
    query = query.join(Annotation, Annotation.id == TaskState.annotation_id)
    if project_id is not None:
        query = query.where(TaskState.project_id == project_id)
    return list(session.execute(query.order_by(saved.desc(), Annotation.ls_annotation_id)).tuples())


def _loaded(session: Session, page: Sequence[_Standing]) -> Iterator[tuple[Annotation, Diff, str]]:
    rows = recording.current(session, task_ids=[task_id for task_id, _, _ in page])
    known = {annotation.id: (annotation, change) for annotation, change in rows}
    for _, annotation_id, state in page:
        yield *known[annotation_id], state


def _item(
    session: Session, annotation: Annotation, change: Diff, state: str, versions: Versions,
    present: GroundingSettings,
) -> tuple[Item, Source]:  # fmt: skip
    """Raises :class:`CannotRejoin` with the reason for a person."""
    if change.change in _NO_TRUTH:
        raise CannotRejoin(f"annotation: {change.change}")
    if state in (REJECTED, SENT_BACK):
        raise CannotRejoin(f"review: {state}")
    if marks.LONE in marks.of_tubes(annotation.tubes):
        raise CannotRejoin("one drawn box: it does not say when the action ends")
    if annotation.outdated:
        raise CannotRejoin("another file at the video's address")
    drawn = recording.answer(annotation)
    if drawn is None:
        raise CannotRejoin("truth without a tube")
    prediction = _prediction(session, annotation, versions)
    consistency = prediction.evidence_consistency
    evidence = Evidence.from_bytes(
        prediction.evidence, chosen=prediction.evidence_chosen, info=prediction.evidence_info,
        consistency=math.nan if consistency is None else consistency,
    )  # fmt: skip
    Rejoiner(evidence)(present)  # says what is missing
    task = annotation.task
    assert task is not None
    name = f"{task.project_id}/{task.ls_task_id}"
    parts = SubQueries(
        prediction.attribute_query, prediction.action_query, found=bool(prediction.evidence_info.get(SPLIT, True))
    )
    source = Source(
        task.video_ref, task.ls_task_id, task.project_id, prediction.video.sha256, prediction.query, parts
    )  # fmt: skip
    return Item(name, str(prediction.video_id), evidence, tuple(drawn.parts())), source


def _prediction(session: Session, annotation: Annotation, versions: Versions) -> Prediction:
    """The suggestion that was corrected, if it was seen under the present looks; else the newest one that was."""
    own, task = annotation.prediction, annotation.task
    weights, digest = versions.weights, versions.method.looks_digest()
    if own is not None and own.prompt is not None:
        raise CannotRejoin("follows a box that was drawn")
    candidates = [] if own is None else [own]
    found = None if task is None else segment_of(task.data)
    part = None if found is None else list(found)  # as evidence keeps it
    video = own.video_id if own is not None else None if task is None else task.video_id
    if video is not None and task is not None:
        same = Prediction.video_id == video, Prediction.query == (own.query if own else _normalised(task.query))
        candidates += session.scalars(select(Prediction).where(*same).order_by(Prediction.id.desc()))
    for row in candidates:
        of_weights = row.model_version.rpartition("/")[0] == weights
        of_part = row is own or row.evidence_info.get("segment") == part
        if row.prompt is None and of_weights and of_part and row.evidence_info.get("looks") == digest:
            return row
    if not candidates:
        raise CannotRejoin("no prediction")
    kept = any("looks" in row.evidence_info for row in candidates)
    raise CannotRejoin("other model or other looks" if kept else "no rows")


def _normalised(query: str) -> str:
    try:
        return normalise_query(query)
    except QueryError:
        return ""
