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
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from backend.annotations import wishes
from backend.annotations.context import Known, Wanted, region_names
from backend.annotations.keyframe_rows import keyframes
from backend.annotations.read import BLIND, READER
from backend.annotations.store import Reading, read_version
from backend.db import annotations as versions
from backend.db import reviews
from backend.db.engine import Database
from backend.db.errors import AWAY
from backend.db.tables import Annotation, Event, Task
from backend.jobs.storing import Outcome, store
from backend.jobs.submissions import as_row, new_version, read_interface
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
    "result", "ls_created_at", "ls_updated_at", "video_id",
)  # fmt: skip


def reread(database: Database) -> int:
    """Read all that is due, a page at a time; returns how many annotations got another tube."""
    changed, last = 0, 0
    while True:
        with database.read() as session:
            query = select(Annotation).where(STALE, Annotation.id > last).order_by(Annotation.id).limit(_PAGE)
            page = _plans(session, session.scalars(query).all())
        if not page:
            return changed
        changed += _read(database, page)
        last = page[-1].row


def read_task_again(database: Database, task_id: int) -> int:
    """The same for a task's annotations that wait for a worker, when it has found something."""
    with database.read() as session:
        waiting = [row for row in versions.current(session, task_ids=[task_id]) if _waits(row)]
        plans = _plans(session, waiting)
    return store(database, plans)


@dataclass(frozen=True)
class Again:
    """A version (its row) to be read again.

    Attributes:
        label_config: the interface that it was saved in; None where that is not known: then its project's present one.
    """

    row: int
    annotation: int
    version: int
    task_id: int | None
    regions: tuple[str, ...]
    label_config: str | None
    digest: None = None

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.annotation, self.task_id, self.regions)

    def compute(self, known: Known) -> Outcome:
        """Another version where its tubes are others now."""
        row = next(one for one in known.versions if one.id == self.row)
        content = _content(row, known)
        as_it_was = Outcome(row=row.id, columns={"reader": READER, **content})
        xml = self.label_config or ("" if known.task is None else known.task.project.label_config)
        config = read_interface(xml)[0]
        if config is None or row.was_cancelled or versions.counting(known.versions) != row.id:
            return as_it_was  # a skip, a deletion, an older version, or an interface that holds no tube
        began = None if row.prediction_id is None else known.predictions.get(row.prediction_id)
        reading = read_version(row.result, config, known, began, row.ls_updated_at)
        if len(reading.tubes) < len(row.tubes):
            logger.warning(
                "annotation %d: the interface has changed, its %d boxes stay as they were read",
                row.ls_annotation_id, len(row.tubes),
            )  # fmt: skip
            return as_it_was
        values = {name: getattr(row, name) for name in _COPIED} | content
        if _same(row.tubes, reading.tubes):
            return _marked(content, row, reading, wishes.wanted(as_row(known, {**values, "tubes": reading.tubes})))
        digest = _digest(row, reading.tubes)
        found = new_version(known, digest=digest, reread_of=row.id, **values, **reading.columns())
        carry = partial(_carry_refusals, task_id=row.task_id, old=row.id)
        return Outcome(
            found.version,
            found.diffs,
            found.jobs,
            row.id,
            {"reader": READER, **content},
            entries=reading.tubes,
            after=carry,
        )


def _content(row: Annotation, known: Known) -> dict[str, Any]:
    """The content that it is about, where that is known only now."""
    video = None if known.task is None else known.task.video_id
    return {} if row.video_id is not None or video is None else {"video_id": video}


def _marked(content: dict[str, Any], row: Annotation, reading: Reading, jobs: list[dict[str, Any]]) -> Outcome:
    """The same tubes, with what is said of them now."""
    columns: dict[str, Any] = {**content} if row.reader == reading.reader else {"reader": reading.reader, **content}
    if row.tubes != reading.tubes:
        columns["tubes"] = [_with_marks(old, new) for old, new in zip(row.tubes, reading.tubes, strict=True)]
    if row.problem != reading.problem:
        columns["problem"] = reading.problem
    return Outcome(jobs=jobs, row=row.id, columns=columns, entries=reading.tubes)


def _plans(session: Session, rows: Sequence[Annotation]) -> list[Again]:
    bodies = select(Event.id, Event.body).where(
        Event.id.in_({row.event_id for row in rows if row.event_id is not None})
    )
    said = {number: _interface(body) for number, body in session.execute(bodies)}
    return [
        Again(
            row.id,
            row.ls_annotation_id,
            row.version,
            row.task_id,
            region_names(row.result),
            said.get(row.event_id or 0),
        )
        for row in rows
    ]


def _interface(body: bytes) -> str | None:
    """The interface in an event's body."""
    try:
        project = json.loads(body).get("project")
    except (ValueError, AttributeError):
        return None
    xml = project.get("label_config") if isinstance(project, dict) else None
    return xml if isinstance(xml, str) and xml else None


def _read(database: Database, page: Sequence[Again]) -> int:
    """A page together; where that fails each alone."""
    try:
        return store(database, page)
    except AWAY:
        raise  # the database is away
    except Exception as error:
        logger.info("%d annotations are read again one by one: %s", len(page), type(error).__name__)
    return sum(_tried(database, plan) for plan in page)


def _tried(database: Database, plan: Again) -> int:
    """One row that cannot be read again stays as it is, with a line in the log, and stops no other."""
    try:
        return store(database, [plan])
    except AWAY:
        raise
    except Exception:
        logger.exception("annotation %d, version %d stays as it was read", plan.annotation, plan.version)
        with database.write() as session:
            session.execute(update(Annotation).where(Annotation.id == plan.row).values(reader=READER))
        return 0


def _waits(row: Annotation) -> bool:
    return any(entry.get("wishes") for entry in row.tubes)


def _carry_refusals(session: Session, again: int, *, task_id: int | None, old: int) -> None:
    """What a reviewer refused does not come back by itself; other ends do answer a refusal of the ends.

    An acceptance is not carried: the reviewer saw another tube.
    """
    if task_id is None:
        return
    about = [one for one in reviews.in_force(reviews.history(session, task_id)) if one.annotation_id == old]
    if not about or about[-1].decision == reviews.ACCEPTED or about[-1].reason == "wrong start or end":
        return
    last = about[-1]
    reviews.add(
        session, task_id=task_id, annotation_id=again, prediction_id=last.prediction_id, decision=last.decision,
        reason=last.reason, comment=last.comment, account_id=last.account_id, reviewer=last.reviewer,
    )  # fmt: skip


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
