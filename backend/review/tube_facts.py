"""What does a reviewer have to know of how a label's tube was read? Marks, rival boxes, and what a worker looks for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from backend.annotations import marks
from backend.annotations.target import rivals, target_entry
from backend.annotations.wishes import Wished, of_annotation
from backend.db import annotations as versions
from backend.db import deliveries, task_state
from backend.db.tables import Annotation, Prediction
from backend.labelstudio.config import find_config
from backend.review.facts import Reading


def reading_of(session: Session, label: Annotation) -> Reading:
    """The facts for the page of one task."""
    if label.deleted or label.was_cancelled:
        return Reading()
    wished = of_annotation(session, label)
    chosen, others = _chosen(label)
    return Reading(
        marks=tuple(marks.sentences(label.tubes)),
        target=chosen if others else None,
        rivals=others,
        looking=tuple(filter(None, map(_looking, wished))),
        offered=bool(_answers(wished)),
    )


def offered(session: Session, label: Annotation) -> list[Prediction]:
    """The tubes that were followed from boxes that were drawn alone."""
    return [] if label.deleted or label.was_cancelled else _answers(of_annotation(session, label))


def to_offer(session: Session, task_id: int) -> tuple[int | None, list[int]]:
    """Those tubes of a task's label: the label's version, and the predictions (rows). It writes nothing."""
    label = versions.present(session, task_id)
    return (None, []) if label is None else (label.id, [row.id for row in offered(session, label)])


def offer(session: Session, task_id: int, label_id: int | None, found: Sequence[int]) -> list[int]:
    """Owe them to Label Studio, as suggestions beside the annotation; none where the label is another by now."""
    task_state.lock(session, task_id)
    state = task_state.of_task(session, task_id)
    if state is None or state.annotation_id != label_id:
        return []
    for number in found:
        deliveries.owe(session, number, task_id)
    return list(found)


def _answers(wished: list[Wished]) -> list[Prediction]:
    answered = [one.job.prediction for one in wished if one.wish.offer and one.job is not None]
    return [row for row in answered if row is not None and row.keyframes]


def _chosen(label: Annotation) -> tuple[tuple[str, int, int] | None, int]:
    """The region that counts with its ends, and how many others of the same label there are."""
    config = None if label.task is None else find_config(label.task.project.label_config)
    first = next(iter(config.labels), None) if config else None
    region = None if label.prediction is None else label.prediction.region_id
    entry = target_entry(label.tubes, label=first, region_id=region)
    if entry is None:
        return None, 0
    ends = int(entry["keyframes"][0][0]), int(entry["keyframes"][-1][0])
    return (str(entry.get("region_id") or ""), *ends), len(rivals(label.tubes, entry))


def _looking(wished: Wished) -> str | None:
    """How far a worker is with it; None where it is done."""
    wish, job = wished.wish, wished.job
    what = (
        "The drawn box is being followed to offer a whole tube"
        if wish.offer
        else f"Frames {wish.first} to {wish.last} are being followed; until then the box is held"
    )
    if job is None:
        return None if wish.offer else f"Frames {wish.first} to {wish.last}: the box is held."
    if job.state == "failed":
        return f"Following the box failed, it is held: {job.reason} Try again with: stvg jobs retry {job.id}"
    if job.state == "done":
        return None
    return f"{what} (job {job.id}, {job.state}). Reload the page later."
