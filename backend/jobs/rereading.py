"""Annotations that were read by an older rule, or before something was known of their video, are read again.

``result`` is stored as Label Studio sent it, so nothing is lost. Where the tubes come out as they are, the row only
gets the rule's number (and its marks). Where they do not, there is a new version of the annotation, with its own diff:
the older one keeps its tube, its diff and what a reviewer decided about it, and the task waits for review again (a
refusal is carried over, unless it was of the ends). Reading twice changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from sqlalchemy import and_, or_, select
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session, joinedload

from backend.annotations.read import BLIND, READER
from backend.annotations.rows import keyframes
from backend.annotations.store import read_for
from backend.annotations.wishes import ask_for
from backend.db import annotations as versions
from backend.db import reviews
from backend.db.engine import Database
from backend.db.tables import Annotation, Event, Task
from backend.jobs.corrections import add, read_interface
from backend.labelstudio.config import LabelConfig
from stvg_core.keyframes import expand

logger = logging.getLogger(__name__)

_PAGE = 50
_SAME = 1e-3
"""Boxes that differ by less than this share of the picture are the same."""

STALE = or_(
    Annotation.reader < BLIND,
    and_(Annotation.reader < READER, Annotation.task.has(Task.video_id.is_not(None))),
)
_COPIED = (
    "ls_annotation_id", "task_id", "prediction_id", "event_id", "ls_parent_prediction", "author_id", "lead_time_s",
    "result", "ls_created_at", "ls_updated_at",
)  # fmt: skip


def reread(database: Database) -> int:
    """Read all that is due, a page at a time; returns how many annotations got another tube."""
    with database.read() as session:
        if session.scalar(select(Annotation.id).where(STALE).limit(1)) is None:
            return 0
    changed, last = 0, 0
    while True:
        with database.write() as session:
            query = select(Annotation).where(STALE, Annotation.id > last).order_by(Annotation.id).limit(_PAGE)
            page = session.scalars(query.options(joinedload(Annotation.task))).all()
            if not page:
                return changed
            changed += sum(_tried(session, row) for row in page)
            last = page[-1].id


def read_task_again(session: Session, task_id: int) -> int:
    """The same for a task's annotations that wait for a worker, when it has found something."""
    waiting = [row for row in versions.current(session, task_ids=[task_id]) if _waits(row)]
    return sum(_again(session, row) for row in waiting)


def _tried(session: Session, row: Annotation) -> bool:
    """One row that cannot be read again stays as it is, with a line in the log, and stops no other."""
    try:
        with session.begin_nested():
            return _again(session, row)
    except (OperationalError, InterfaceError):
        raise  # the database is away
    except Exception:
        logger.exception("annotation %d, version %d stays as it was read", row.ls_annotation_id, row.version)
        row.reader = READER
        return False


def _waits(row: Annotation) -> bool:
    return any(entry.get("wishes") for entry in row.tubes)


def _again(session: Session, row: Annotation) -> bool:
    """Read one version again; True where its tubes are others now."""
    current = list(versions.versions(session, row.ls_annotation_id))
    newest = max(current, key=lambda one: (versions.moment(one), one.version))
    gone = any(one.deleted for one in current)
    config = None if row.was_cancelled or gone or newest.id != row.id else _interface(session, row)
    if config is None:  # a skip, a deletion, an older version, or an interface that holds no tube
        row.reader = READER
        return False
    before = versions.saved_before(session, row.ls_annotation_id, row.ls_updated_at)
    reading = read_for(session, row.task, row.result, config, row.prediction_id, before)
    if len(reading.tubes) < len(row.tubes):
        logger.warning(
            "annotation %d: the interface has changed, its %d boxes stay as they were read",
            row.ls_annotation_id, len(row.tubes),
        )  # fmt: skip
        row.reader = READER
        return False
    if _same(row.tubes, reading.tubes):
        row.reader = reading.reader
        if row.tubes != reading.tubes:
            row.tubes = [_with_marks(old, new) for old, new in zip(row.tubes, reading.tubes, strict=True)]
        ask_for(session, row)
        return False
    row.reader = READER
    digest = _digest(row, reading.tubes)
    values = {name: getattr(row, name) for name in _COPIED}
    if not add(session, digest=digest, reread_of=row.id, **values, **reading.columns()):
        return False
    _carry_refusals(session, row, versions.find(session, digest))
    return True


def _carry_refusals(session: Session, row: Annotation, again: Annotation | None) -> None:
    """What a reviewer refused does not come back by itself; other ends do answer a refusal of the ends.

    An acceptance is not carried: the reviewer saw another tube.
    """
    if row.task_id is None or again is None:
        return
    about = [one for one in reviews.in_force(reviews.history(session, row.task_id)) if one.annotation_id == row.id]
    if not about or about[-1].decision == reviews.ACCEPTED or about[-1].reason == "wrong start or end":
        return
    last = about[-1]
    reviews.add(
        session, task_id=row.task_id, annotation_id=again.id, prediction_id=last.prediction_id, decision=last.decision,
        reason=last.reason, comment=last.comment, account_id=last.account_id, reviewer=last.reviewer,
    )  # fmt: skip


def _interface(session: Session, row: Annotation) -> LabelConfig | None:
    """The interface that the annotation was saved in; where that is not known, its project's present one."""
    event = None if row.event_id is None else session.get(Event, row.event_id)
    if event is not None:
        try:
            project = json.loads(event.body).get("project")
        except (ValueError, AttributeError):
            project = None
        xml = project.get("label_config") if isinstance(project, dict) else None
        if isinstance(xml, str) and xml:
            return read_interface(xml)[0]
    return None if row.task is None else read_interface(row.task.project.label_config)[0]


def _same(old: Sequence[Any], new: Sequence[Any]) -> bool:
    return len(old) == len(new) and all(_same_entry(a, b) for a, b in zip(old, new, strict=True))


def _same_entry(old: dict[str, Any], new: dict[str, Any]) -> bool:
    if any(old.get(key) != new.get(key) for key in ("region_id", "label", "sentence", "suggested_as")):
        return False
    a, b = expand(keyframes(old["keyframes"])), expand(keyframes(new["keyframes"]))
    intervals = old.get("intervals") or [[a.start_frame, a.end_frame]]
    same_frames = intervals == new["intervals"] and a.start_frame == b.start_frame and len(a.boxes) == len(b.boxes)
    return same_frames and bool(np.abs(a.boxes - b.boxes).max() < _SAME)


def _with_marks(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The tube as it was, with what is said of it now."""
    return {**new, "intervals": new["intervals"], "keyframes": old["keyframes"]}


def _digest(row: Annotation, tubes: Sequence[Any]) -> str:
    """The same for the same reading of the same saved state."""
    content = [row.digest, READER, [[entry["intervals"], entry["keyframes"]] for entry in tubes]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
