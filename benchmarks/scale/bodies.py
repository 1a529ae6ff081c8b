"""What Label Studio 1.23 sends: bodies of webhooks and of ``/predict``, in their real shape and size."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from benchmarks.scale import content, labels, regions

NEW_ANNOTATION = 50_000_000
"""Numbers of annotations that are not in the filled database begin here."""
NEW_TASK = 60_000_000


def predict(numbers: list[int]) -> bytes:
    """``/predict`` for tasks that are in the database."""
    return _predict([(number, content.task(number).data) for number in numbers])


def predict_new(first: int, count: int, tasks: int) -> bytes:
    """The same for tasks that are not: new sentences on the videos of a database of ``tasks``."""
    found = []
    for number in range(first, first + count):
        video = content.task(1 + number % tasks).video
        data = {"video": content.video_address(video), "query": f"somebody new, number {number}", "fps": content.FPS}
        found.append((NEW_TASK + number, data))
    return _predict(found)


def new_videos(first: int, count: int, tasks: int) -> set[int]:
    """Whose files a worker needs to answer :func:`predict_new`."""
    return {content.task(1 + number % tasks).video for number in range(first, first + count)}


def _predict(asked: list[tuple[int, dict[str, Any]]]) -> bytes:
    tasks = [{"id": number, "data": data, "annotations": [], "predictions": []} for number, data in asked]
    return json.dumps(
        {
            "tasks": tasks, "project": f"{content.PROJECT}.1795345885", "label_config": regions.LABEL_CONFIG,
            "params": {"login": None, "password": None, "context": None},
        }
    ).encode()  # fmt: skip


def webhook(nth: int, tasks: int, model_version: str) -> bytes:
    """Every fifth is a new version of an annotation that is known, the others are new annotations."""
    number = 1 + nth * 7 % tasks
    while not content.suggested(one := content.task(number)) or one.kind != content.DONE:
        number = 1 + number % tasks
    known = labels.said_of(one, content.suggested(one))
    update = nth % 5 == 0 and bool(known)
    saved_at = one.at + timedelta(days=20, seconds=nth)
    version = labels.Version(saved_at, "ends moved", labels.longer(content.suggested(one), 3 + nth % 5), [])
    region_id = content.region_id(one, model_version)
    annotation = _annotation(one, known[0].number if update else NEW_ANNOTATION + nth, 1 + nth % 20, version, region_id)
    action = "ANNOTATION_UPDATED" if update else "ANNOTATION_CREATED"
    body = {"action": action, "annotation": annotation, "project": _project(tasks), "task": task(one)}
    return json.dumps(body).encode()


def task(one: content.Task) -> dict[str, Any]:
    """A task as webhooks and ``/api/tasks/`` hold it."""
    at = one.at.isoformat()
    return {
        "id": one.number, "data": one.data, "meta": {}, "created_at": at, "updated_at": at, "is_labeled": True,
        "overlap": 1, "inner_id": one.number, "total_annotations": 1, "cancelled_annotations": 0,
        "total_predictions": 1, "comment_count": 0, "unresolved_comment_count": 0, "last_comment_updated_at": None,
        "project": content.PROJECT, "updated_by": 1, "file_upload": None, "comment_authors": [],
    }  # fmt: skip


def listed(one: content.Task, model_version: str) -> list[dict[str, Any]]:
    """Those that Label Studio has of a task: the newest version of each that is not deleted."""
    if one.kind != content.DONE:
        return []
    region_id = content.region_id(one, model_version)
    known = labels.said_of(one, content.suggested(one))
    return [_annotation(one, a.number, a.author, a.versions[-1], region_id) for a in known if not a.deleted]


def _annotation(one: content.Task, number: int, author: int, version: labels.Version, region_id: str) -> dict[str, Any]:
    saved = version.saved_at.isoformat().replace("+00:00", "Z")
    return {
        "id": number, "result": version.result(region_id), "was_cancelled": version.skipped, "ground_truth": False,
        "created_at": saved, "updated_at": saved, "draft_created_at": None, "lead_time": 9.332, "prediction": {},
        "result_count": 1, "unique_id": "176acb43-1088-4cbf-a448-5d47f8a0d3b4", "import_id": None, "last_action": None,
        "bulk_created": False, "task": one.number, "project": content.PROJECT, "completed_by": author,
        "updated_by": author, "parent_prediction": one.number, "parent_annotation": None, "last_created_by": None,
    }  # fmt: skip


def _project(tasks: int) -> dict[str, Any]:
    """Whole, as in every event: its interface comes twice, as XML and as parsed."""
    names = {
        "label": "Labels",
        "span": "TimelineLabels",
        "verdict": "Choices",
        "ask": "TextArea",
        "box": "VideoRectangle",
    }
    video = [{"type": "Video", "valueType": None, "value": "video"}]
    parsed = {
        name: {
            "type": kind, "to_name": ["video"], "inputs": video, "labels": ["Target", "Other"],
            "labels_attrs": {label: {"value": label, "background": "#d1345b"} for label in ("Target", "Other")},
        }
        for name, kind in names.items()
    }  # fmt: skip
    weights = {name: {"overall": 1.0, "type": kind, "labels": {}} for name, kind in names.items()}
    return {
        "id": content.PROJECT, "task_number": tasks, "finished_task_number": tasks // 2, "title": "scale",
        "description": "", "label_config": regions.LABEL_CONFIG, "parsed_label_config": parsed,
        "label_config_hash": 2668319033910310257, "expert_instruction": "", "show_instruction": False,
        "show_skip_button": True, "enable_empty_annotation": True, "show_annotation_history": False,
        "evaluate_predictions_automatically": False, "color": "#FFFFFF", "maximum_annotations": 1,
        "control_weights": weights, "model_version": "", "is_draft": False, "is_published": False,
        "created_at": "2026-11-01T00:00:00Z", "updated_at": "2026-11-01T00:00:00Z", "sampling": "Sequential sampling",
        "skip_queue": "REQUEUE_FOR_OTHERS", "show_ground_truth_first": False, "workspace": None,
    }  # fmt: skip
