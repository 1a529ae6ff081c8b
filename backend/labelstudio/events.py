"""A webhook's body. What happened to which annotation?

The same reading serves annotations fetched by polling, since events are sent once and are lost while we are away.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from backend.labelstudio.payloads import PayloadError, mapping, project_number
from backend.labelstudio.values import check_regions, number_of, number_or_none, storable

SAVED = frozenset({"ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED"})
DELETED = frozenset({"ANNOTATIONS_DELETED", "ANNOTATION_DELETED"})
TRAIN = "START_TRAINING"
_LONGEST_S = 1e9
"""Of work on one task: thirty years."""
WANTED = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_CREATED", "ANNOTATIONS_DELETED")
"""The actions to subscribe to. START_TRAINING is sent to the backend's /webhook in any case and cannot be chosen."""


@dataclass(frozen=True)
class AnnotationEvent:
    """One version of one human annotation.

    ``was_cancelled`` marks a skipped task. ``lead_time`` is in seconds. ``parent_prediction`` is Label Studio's id of
    the prediction it was started from. Times are aware.
    """

    id: int
    task_id: int
    result: list[dict[str, Any]]
    completed_by: int | None
    lead_time: float | None
    was_cancelled: bool
    parent_prediction: int | None
    created_at: datetime | None
    updated_at: datetime | None


@dataclass(frozen=True)
class Event:
    """One webhook.

    Attributes:
        action: as Label Studio names it; unknown ones are kept and carry nothing else.
        project_id: None where the body names no project.
        task_id: the task, where the event is about exactly one.
        annotations: the versions that were saved.
        deleted_ids: the annotations that are gone; of those Label Studio tells nothing but the ids.
        task_data: the data of each task in the body, by task id.
        label_config: the project's interface at that moment, "" where absent.
    """

    action: str
    project_id: int | None
    task_id: int | None
    annotations: list[AnnotationEvent] = field(default_factory=list)
    deleted_ids: list[int] = field(default_factory=list)
    task_data: dict[int, dict[str, Any]] = field(default_factory=dict)
    label_config: str = ""


def parse_event(body: object) -> Event:
    """Read the body of ``POST /webhook``; raises PayloadError."""
    fields = mapping(body, "the event")
    action = fields.get("action")
    if not isinstance(action, str) or not action:
        raise PayloadError('The event has no "action".')
    project = fields.get("project")
    project = project if isinstance(project, dict) else {"id": project}
    task_data = _task_data(fields)
    annotations = [parse_annotation(entry) for entry in _entries(fields, "annotation")] if action in SAVED else []
    task_ids = {annotation.task_id for annotation in annotations} | set(task_data)
    return Event(
        action=action,
        project_id=project_number(project.get("id")),
        task_id=next(iter(task_ids)) if len(task_ids) == 1 else None,
        annotations=annotations,
        deleted_ids=_deleted_ids(fields) if action in DELETED else [],
        task_data=task_data,
        label_config=project["label_config"] if isinstance(project.get("label_config"), str) else "",
    )


def parse_annotation(body: object, *, task_id: int | None = None) -> AnnotationEvent:
    """Read one annotation, from an event or from ``GET /api/tasks/N/annotations/``; raises PayloadError."""
    fields = mapping(body, "the annotation")
    number = number_of(fields.get("id"), "An annotation's id")
    task = number_or_none(fields.get("task"), f"The task of annotation {number}")
    task = task_id if task is None else task
    if task is None:
        raise PayloadError("An annotation needs its id and its task's.")
    result = storable(check_regions(fields.get("result"), f"annotation {number}"))
    author = fields.get("completed_by")
    return AnnotationEvent(
        id=number,
        task_id=task,
        result=result,
        completed_by=number_or_none(author.get("id") if isinstance(author, dict) else author, "An annotator's id"),
        lead_time=_seconds(fields.get("lead_time")),
        was_cancelled=bool(fields.get("was_cancelled")),
        parent_prediction=number_or_none(fields.get("parent_prediction"), "A prediction's id"),
        created_at=moment_of(fields.get("created_at")),
        updated_at=moment_of(fields.get("updated_at")),
    )


def _entries(fields: Mapping[str, Any], name: str) -> list[Any]:
    """One object or a list of them, under the singular or the plural name: Label Studio uses all four."""
    value = fields.get(name, fields.get(f"{name}s"))
    return value if isinstance(value, list) else [] if value is None else [value]


def _task_data(fields: Mapping[str, Any]) -> dict[int, dict[str, Any]]:
    found = {}
    for task in _entries(fields, "task"):
        number = number_or_none(task.get("id"), "A task's id") if isinstance(task, dict) else None
        if number is not None:
            data = task.get("data")
            found[number] = storable(data) if isinstance(data, dict) else {}
    return found


def _deleted_ids(fields: Mapping[str, Any]) -> list[int]:
    entries = (e.get("id") if isinstance(e, dict) else e for e in _entries(fields, "annotation"))
    numbers = [number_or_none(entry, "An annotation's id") for entry in entries]
    return [number for number in numbers if number is not None]


def _seconds(value: object) -> float | None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _LONGEST_S
    return float(value) if number else None  # type: ignore[arg-type]


def moment_of(value: object) -> datetime | None:
    """A time as Label Studio writes it, with its time zone; None for anything else."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
