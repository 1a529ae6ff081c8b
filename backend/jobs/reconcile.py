"""Was a webhook lost? Label Studio sends each once and waits a second, so its own list is read now and then."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import select

from backend.db import annotations as versions
from backend.db.engine import Database
from backend.db.tables import Project
from backend.jobs.corrections import store_tombstone, store_version
from backend.labelstudio.events import Event, parse_annotation
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.transport import LabelStudioError
from backend.labelstudio.values import storable

logger = logging.getLogger(__name__)


class LabelStudioTasks(Protocol):
    """The calls of Label Studio that a comparison needs."""

    def project(self, project_id: int) -> dict[str, Any]: ...
    def tasks(self, project_id: int) -> Iterator[dict[str, Any]]: ...
    def annotations(self, task_id: int) -> list[dict[str, Any]]: ...


@dataclass(frozen=True)
class Reconciled:
    """How many versions were saved there and missing here, and how many deletions."""

    saved: int
    deleted: int


def reconcile(database: Database, label_studio: LabelStudioTasks) -> int:
    """Add what is missing here; returns how many versions were added. A project that is gone stops no other.

    Raises:
        LabelStudioError: Label Studio is away.
    """
    with database.read() as session:
        known = list(session.scalars(select(Project.id).order_by(Project.id)))
    added = 0
    for project_id in known:
        try:
            found = reconcile_project(database, label_studio, project_id)
        except LabelStudioError as error:
            if error.temporary:
                raise
            logger.info("project %d is not compared: %s", project_id, error)
            continue
        added += found.saved + found.deleted
    return added


def reconcile_project(database: Database, label_studio: LabelStudioTasks, project_id: int) -> Reconciled:
    """The same for one project.

    Raises:
        LabelStudioError: Label Studio is away, or the project is gone.
    """
    with database.read() as session:
        rows = versions.current(session, project_id=project_id)
        before = {row.ls_annotation_id: row.task.ls_task_id for row in rows if row.task is not None}
    label_config = str(label_studio.project(project_id).get("label_config") or "")
    seen: set[int] = set()
    saved = 0
    for task in label_studio.tasks(project_id):
        stored = [entry for entry in task.get("annotations") or [] if isinstance(entry, dict)]
        if not stored:
            continue
        number = int(task["id"])
        task_data = {}
        try:
            task_data[number] = storable(task.get("data") or {})
        except PayloadError as error:
            logger.warning("the data of task %d cannot be kept: %s", number, error)
        event = Event("POLLED", project_id, number, task_data=task_data, label_config=label_config)
        with database.write() as session:
            for entry in stored:
                try:
                    annotation = parse_annotation(entry, task_id=number)
                except PayloadError as error:
                    logger.warning("task %d has an annotation that cannot be read: %s", number, error)
                    continue
                seen.add(annotation.id)
                saved += store_version(session, event, annotation)
    gone = [number for number in sorted(before.keys() - seen) if _is_gone(label_studio, number, before[number])]
    with database.write() as session:
        return Reconciled(saved, sum(store_tombstone(session, number) for number in gone))


def _is_gone(label_studio: LabelStudioTasks, annotation_id: int, task_id: int) -> bool:
    """Asked once more for the one task: a list read page by page can miss what moved, and a deletion is final."""
    try:
        return all(entry.get("id") != annotation_id for entry in label_studio.annotations(task_id))
    except LabelStudioError as error:
        if error.status == 404:
            return True
        raise
