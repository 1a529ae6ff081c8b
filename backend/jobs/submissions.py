"""What becomes of one annotation that somebody saved or deleted? Its version, diffs and wishes, as values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from backend.annotations import wishes
from backend.annotations.context import Known, Wanted, region_names
from backend.annotations.store import origin, read_version
from backend.db.annotations import counting, moment
from backend.db.tables import Annotation
from backend.db.types import clean_json
from backend.jobs.storing import Outcome
from backend.labelstudio.config import LabelConfig, LabelConfigError, read_config
from backend.labelstudio.events import AnnotationEvent
from backend.review import recording


@dataclass(frozen=True)
class Saved:
    """A saved state, of a webhook or of Label Studio's list.

    Attributes:
        task_id: our row of its task; None where the task is not known.
        label_config: the interface that it was saved in.
        digest: the same for the same saved state, whichever way it came.
    """

    annotation: AnnotationEvent
    task_id: int | None
    label_config: str
    digest: str
    event_id: int | None = None

    @property
    def wanted(self) -> Wanted:
        one = self.annotation
        return Wanted(one.id, self.task_id, region_names(one.result), one.parent_prediction)

    def compute(self, known: Known) -> Outcome:
        """Its version with tubes, and the prediction that it came from."""
        one = self.annotation
        config, problem = read_interface(self.label_config)
        task = known.task if self.task_id is not None else None
        known = known if task is not None else Known(known.basis, versions=known.versions)
        began = None if task is None else origin(known, one.result, config)
        read: dict[str, Any] = {"problem": problem}
        if config is not None:
            read = read_version(one.result, config, known, began, one.updated_at).columns()
        found = new_version(
            known, digest=self.digest, ls_annotation_id=one.id, task_id=self.task_id, event_id=self.event_id,
            prediction_id=None if began is None else began.id, ls_parent_prediction=one.parent_prediction,
            author_id=one.completed_by, lead_time_s=one.lead_time, was_cancelled=one.was_cancelled, result=one.result,
            ls_created_at=one.created_at, ls_updated_at=one.updated_at,
            video_id=None if task is None else task.video_id, **read,
        )  # fmt: skip
        return replace(found, row=late, columns={"reader": 0}) if (late := _later(known, one)) is not None else found


@dataclass(frozen=True)
class Deleted:
    """An annotation that is gone; what it held stays in its earlier versions."""

    number: int
    event_id: int | None = None

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"deleted {self.number}".encode()).hexdigest()

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.number)

    def compute(self, known: Known) -> Outcome:
        before = known.versions[-1] if known.versions else None
        about = {"task_id": before.task_id, "prediction_id": before.prediction_id} if before is not None else {}
        return new_version(
            known, digest=self.digest, ls_annotation_id=self.number, event_id=self.event_id, deleted=True, **about
        )


def _later(known: Known, one: AnnotationEvent) -> int | None:
    """The version that counts (its row) where it was saved after this one, which came late: it is read again.

    What an annotator changed since a version before can only be told when that one is there.
    """
    number = counting(known.versions)
    row = next((row for row in known.versions if row.id == number), None)
    if row is None or row.was_cancelled or one.updated_at is None or moment(row) <= one.updated_at.timestamp():
        return None
    return row.id


def new_version(known: Known, **values: Any) -> Outcome:
    """A version with its diffs and what a worker should look for."""
    row = as_row(known, values)
    return Outcome(values, recording.columns(row, known.suggestions), wishes.wanted(row), entries=row.tubes)


def as_row(known: Known, values: Mapping[str, Any]) -> Annotation:
    """A version as its diff is computed from it. It is never added to a session."""
    row = Annotation(**{"tubes": [], "result": [], "deleted": False, "was_cancelled": False, **values})
    number = values.get("prediction_id")
    row.task, row.prediction = known.task, None if number is None else known.predictions.get(number)
    return row


def digest_of(annotation: AnnotationEvent) -> str:
    """The same for the same saved state, whichever way it came."""
    updated = annotation.updated_at.isoformat() if annotation.updated_at else ""
    content = [annotation.id, updated, annotation.was_cancelled, clean_json(annotation.result)]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=64)
def read_interface(xml: str) -> tuple[LabelConfig | None, str | None]:
    """A project's interface, or why it cannot hold a tube."""
    try:
        return read_config(xml), None
    except LabelConfigError as error:
        return None, str(error)
