"""What did people correct? Stored webhooks, and annotations fetched by polling, become annotation versions.

An event, the versions that come of it and their diffs are written in one transaction, and a version that is there
already is left alone: doubled, late or repeated reading changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Container
from typing import Any

from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from backend.annotations.objects import own_sentences
from backend.annotations.store import read_for
from backend.annotations.wishes import ask_for
from backend.db import annotations as versions
from backend.db import deliveries, events, projects, tasks
from backend.db.engine import Database
from backend.db.tables import Event as EventRow
from backend.db.tables import Task
from backend.db.types import clean_json
from backend.labelstudio.asking import suggested_as
from backend.labelstudio.config import LabelConfig, LabelConfigError, read_config
from backend.labelstudio.events import TRAIN, AnnotationEvent, Event, parse_event
from backend.review import recording
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)

Training = Callable[[Session, int | None], object]
"""Asks for a calibration by the corrections of a project (all of them where it is None)."""

LEASE_S = 120.0
"""A reader that was not heard of for so long is gone."""

_MAX_ATTEMPTS = 5
_AT_ONCE = 20


def read_events(database: Database, train: Training | None = None, *, name: str = "reader") -> int:
    """Turn every waiting event into annotation versions; returns how many events were read.

    Args:
        train: called when somebody pressed "Start Training" in Label Studio; without it such an event is ignored.
        name: of this process.
    """
    read = 0
    while True:
        with database.read() as session:
            if not events.waiting(session):
                return read
        with database.write() as session:
            held = events.take(session, name, seconds=LEASE_S, limit=_AT_ONCE)
        for row in held:
            assert row.leased_by is not None
            try:
                with database.write() as session:
                    _read(session, row, row.leased_by, train)
                read += 1
            except (OperationalError, InterfaceError):
                raise  # the database is away; the event waits
            except IntegrityError:
                _again(database, row, "another worker read the same annotation at this moment")
            except Exception:
                logger.exception("event %d: internal error", row.id)
                _again(database, row, f"Internal error. The worker's log has the details under event {row.id}.")


def _read(session: Session, row: EventRow, lease: str, train: Training | None) -> None:
    try:
        event = parse_event(json.loads(row.body))
    except (StvgError, ValueError) as error:
        events.close(session, row.id, lease, "failed", str(error))
        return
    if event.action == "PROJECT_UPDATED" and event.project_id is not None and event.label_config:
        projects.register(session, event.project_id, event.label_config)
    if event.action == TRAIN and train is not None:
        train(session, event.project_id)
        events.close(session, row.id, lease, "done")
        return
    if not event.annotations and not event.deleted_ids:
        events.close(session, row.id, lease, "ignored")
        return
    # In order of their numbers: two events about the same annotations must not wait for each other.
    for annotation in sorted(event.annotations, key=lambda annotation: annotation.id):
        store_version(session, event, annotation, event_id=row.id)
    for number in sorted(event.deleted_ids):
        store_tombstone(session, number, event_id=row.id)
    events.close(session, row.id, lease, "done")


def _again(database: Database, row: EventRow, reason: str) -> None:
    """Once more, and after several tries set aside with the reason."""
    assert row.leased_by is not None
    with database.write() as session:
        if row.attempts >= _MAX_ATTEMPTS:
            events.close(session, row.id, row.leased_by, "failed", reason)
        else:
            events.again(session, row.id, row.leased_by, reason, seconds=0.0)


def store_version(session: Session, event: Event, annotation: AnnotationEvent, *, event_id: int | None = None) -> bool:
    """Add what a person saved, with its tubes and the prediction that it came from; False if it is known."""
    digest = _digest(annotation)
    config, problem = read_interface(event.label_config)
    task = _task(session, event, annotation, config)
    read: dict[str, Any] = {}
    prediction_id = None
    if config is not None:
        own = own_sentences(session, task, annotation.result, config)
        prediction_id = None if task is None else _origin(session, task, annotation, own)
        before = versions.saved_before(session, annotation.id, annotation.updated_at)
        read = read_for(session, task, annotation.result, config, prediction_id, before).columns()
    elif task is not None:
        prediction_id = _origin(session, task, annotation, ())
    return add(
        session,
        digest=digest,
        ls_annotation_id=annotation.id,
        task_id=None if task is None else task.id,
        prediction_id=prediction_id,
        event_id=event_id,
        ls_parent_prediction=annotation.parent_prediction,
        author_id=annotation.completed_by,
        lead_time_s=annotation.lead_time,
        was_cancelled=annotation.was_cancelled,
        result=annotation.result,
        problem=problem,
        ls_created_at=annotation.created_at,
        ls_updated_at=annotation.updated_at,
        **read,
    )


def store_tombstone(session: Session, ls_annotation_id: int, *, event_id: int | None = None) -> bool:
    """Note that an annotation is gone; what it held stays in its earlier versions."""
    before = versions.last_known(session, ls_annotation_id)
    return add(
        session,
        digest=hashlib.sha256(f"deleted {ls_annotation_id}".encode()).hexdigest(),
        ls_annotation_id=ls_annotation_id,
        task_id=None if before is None else before.task_id,
        prediction_id=None if before is None else before.prediction_id,
        event_id=event_id,
        deleted=True,
    )


def add(session: Session, *, digest: str, ls_annotation_id: int, **values: Any) -> bool:
    """A version, its diff and what a worker should look for in the video, or none of them."""
    if not versions.add_version(session, digest=digest, ls_annotation_id=ls_annotation_id, **values):
        return False
    added = versions.find(session, digest)
    assert added is not None
    deliveries.tell_again(session, added.task_id)
    ask_for(session, added)
    return recording.record(session, added)


def _digest(annotation: AnnotationEvent) -> str:
    """The same for the same saved state, whichever way it came."""
    updated = annotation.updated_at.isoformat() if annotation.updated_at else ""
    content = [annotation.id, updated, annotation.was_cancelled, clean_json(annotation.result)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_interface(xml: str) -> tuple[LabelConfig | None, str | None]:
    """A project's interface, or why it cannot hold a tube."""
    try:
        return read_config(xml), None
    except LabelConfigError as error:
        return None, str(error)


def _task(session: Session, event: Event, annotation: AnnotationEvent, config: LabelConfig | None) -> Task | None:
    if event.project_id is None:
        return None
    known = tasks.find(session, event.project_id, annotation.task_id)
    data = event.task_data.get(annotation.task_id)
    if known is not None or data is None or config is None:
        return known
    return tasks.remember(
        session,
        project_id=event.project_id,
        ls_task_id=annotation.task_id,
        video_ref=config.video_of(data),
        query=config.query_of(data),
        data=data,
    )


def _origin(session: Session, task: Task, annotation: AnnotationEvent, own: Container[str]) -> int | None:
    regions = [suggested_as(region) for region in annotation.result if region.get("id") and region["id"] not in own]
    return deliveries.origin(session, task.id, ls_prediction_id=annotation.parent_prediction, region_ids=regions)
