"""Each annotation version gets its diff: at once when it is stored, or later where it has none yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy.orm import Session

from backend.annotations.keyframe_rows import keyframes
from backend.db import annotations as versions
from backend.db import diffs, predictions
from backend.db.engine import Database
from backend.db.tables import Annotation, Diff, Prediction
from backend.labelstudio.config import LabelConfig, find_config
from backend.review import diff
from backend.review.drawn_tube import Drawn, further_entries, target

_PAGE = 100
_WALKED = 200


def record(session: Session, annotation: Annotation) -> bool:
    """Compute and store the diffs of a version; False where it has one."""
    if diffs.find(session, annotation.id) is not None:
        return False
    known: Mapping[str, Prediction] = {}
    if annotation.task is not None and annotation.task.video_id is not None:
        suggested = [str(entry.get("suggested_as") or "") for _, entry in further_entries(annotation.tubes)]
        known = predictions.by_region(session, annotation.task.video_id, suggested)
    first, *more = columns(annotation, known)
    stored = diffs.store(session, annotation.id, **first)
    for values in more:
        diffs.store(session, annotation.id, **values)
    return stored


def columns(annotation: Annotation, suggestions: Mapping[str, Prediction]) -> list[dict[str, Any]]:
    """The diffs of a version, which need not be stored yet: the task's own object's, then one per further object.

    Args:
        suggestions: those of the task's video, by the ids of their regions.
    """
    found = [{"object": 0, "sentence": None, **_values(annotation)}]
    if annotation.deleted or annotation.was_cancelled:
        return found
    for number, entry in further_entries(annotation.tubes):
        prediction = suggestions.get(str(entry.get("suggested_as") or ""))
        rows = [] if prediction is None else keyframes(prediction.keyframes or [])
        values = _columns(diff.compare(rows, Drawn.stored(entry)), None if prediction is None else prediction.id)
        found.append({"object": number, "sentence": str(entry["sentence"]), **values})
    return found


def record_missing(database: Database, *, project_id: int | None = None) -> int:
    """Give every version its diff, a page at a time; returns how many were computed."""
    computed, last = 0, 0
    while True:
        with database.write() as session:
            page = diffs.without_diff(session, project_id=project_id, after=last, limit=_PAGE)
            computed += sum(record(session, row) for row in page)
            if len(page) < _PAGE:
                return computed
            last = page[-1].id


def current(
    session: Session, *, project_id: int | None = None, task_ids: Sequence[int] | None = None
) -> list[tuple[Annotation, Diff]]:
    """The version that counts of each annotation with its diff; where none is stored it is computed, not stored."""
    known = diffs.by_annotation(session, project_id=project_id, task_ids=task_ids)
    rows = versions.current(session, project_id=project_id, task_ids=task_ids)
    return [(row, known.get(row.id) or computed(row)) for row in rows]


def computed(annotation: Annotation) -> Diff:
    """The diff of a version that has none stored; it is not stored."""
    return Diff(annotation_id=annotation.id, **_values(annotation))


def walk(session: Session, *, project_id: int | None = None) -> Iterator[tuple[Annotation, Diff]]:
    """The same as :func:`current` by our row, a few hundred in memory at a time."""
    last = 0
    while rows := versions.current_after(session, last, limit=_WALKED, project_id=project_id):
        known = diffs.of_annotations(session, [row.id for row in rows])
        for row in rows:
            yield row, known.get(row.id) or Diff(annotation_id=row.id, **_values(row))
        last = rows[-1].id


def of_annotation(annotation: Annotation) -> diff.Diff:
    """The diff of a version, from its own row, its prediction and its project's interface."""
    if annotation.deleted:
        return diff.Diff(diff.DELETED)
    if annotation.was_cancelled:
        return diff.Diff(diff.SKIPPED)
    drawn = answer(annotation)
    if drawn is None and (annotation.problem or diff.has_boxes(annotation.result)):
        return diff.Diff(diff.UNREADABLE)
    if drawn is None and annotation.prediction is None:
        return diff.Diff(diff.EMPTY, 0, 0)
    suggested = keyframes(annotation.prediction.keyframes or []) if annotation.prediction else []
    return diff.compare(suggested, drawn, judged_wrong=judged_wrong(annotation))


def answer(annotation: Annotation) -> Drawn | None:
    """The region of a version that answers the task's sentence."""
    config, prediction = _interface(annotation), annotation.prediction
    label = next(iter(config.labels), None) if config else None
    return target(annotation.tubes, label=label, region_id=_region_id(prediction))


def judged_wrong(annotation: Annotation) -> bool:
    """Whether the person said that the suggestion is wrong."""
    config = _interface(annotation)
    return config is not None and config.judges_wrong(annotation.verdict)


def _values(annotation: Annotation) -> dict[str, Any]:
    """The columns of the diff of the task's own object."""
    return _columns(of_annotation(annotation), annotation.prediction_id)


def _columns(found: diff.Diff, prediction_id: int | None) -> dict[str, Any]:
    both = found.overlap
    return {
        "prediction_id": prediction_id,
        "change": found.change,
        "region_id": found.region_id,
        "tiou": None if both is None else both.tiou,
        "viou": None if both is None else both.viou,
        "start_shift": found.start_shift,
        "end_shift": found.end_shift,
        "first_frame": None if both is None else both.first_frame,
        "frame_ious": None if both is None else diff.pack(both.frame_ious),
        "edits": found.edits,
        "edits_from_nothing": found.edits_from_nothing,
    }


def _region_id(prediction: Prediction | None) -> str | None:
    return None if prediction is None else prediction.region_id


def _interface(annotation: Annotation) -> LabelConfig | None:
    return None if annotation.task is None else find_config(annotation.task.project.label_config)
