"""What did people do with a suggestion? Annotation versions, their diffs and the reviewers' decisions."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.scale import regions

if TYPE_CHECKING:
    from benchmarks.scale.content import Row, Task

READER = 2
"""The rule by which tubes were read from annotations at migration 0006."""

Rows = list[list[float]]
_DECISIONS = (("accepted", None), ("rejected", "wrong object"), ("sent back", "wrong time"))


@dataclass
class Annotation:
    """One annotation of Label Studio's: its versions, oldest first, and whether it is gone."""

    number: int
    author: int
    versions: list[Version] = field(default_factory=list)
    deleted: bool = False


@dataclass(frozen=True)
class Version:
    """A saved state. ``further``: keyframes of an object with a sentence of its own."""

    saved_at: datetime
    change: str
    keyframes: Rows
    further: Rows
    skipped: bool = False

    def result(self, region_id: str) -> list[dict[str, Any]]:
        """Label Studio's list of regions."""
        if self.skipped:
            return []
        found = regions.tube(region_id, self.keyframes)
        return found + (regions.further(f"{region_id}b", self.further) if self.further else [])


def digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def tube(rng: random.Random, first: int, last: int) -> Rows:
    """Three keyframes whose middle one lies off the straight line."""
    x, y = 0.05 + 0.4 * rng.random(), 0.05 + 0.4 * rng.random()
    moved = [(0.0, 0.0), (0.15 * rng.random(), 0.1 * rng.random()), (0.2, 0.0)]
    frames = (first, (first + last) // 2, last)
    return [
        [frame, *(round(side, 4) for side in (x + dx, y + dy, x + dx + 0.2, y + dy + 0.3))]
        for frame, (dx, dy) in zip(frames, moved, strict=True)
    ]


def longer(keyframes: Rows, frames: int) -> Rows:
    """The same boxes, and the last one held for so many frames more."""
    last, *box = keyframes[-1]
    return [*keyframes, [last + frames, *box]]


def said_of(one: Task, suggested: Rows) -> list[Annotation]:
    """What people said of a task; empty for 38 % of those with a suggestion."""
    rng = one.rng("people")
    if not suggested or rng.random() >= 0.62:
        return []
    authors = rng.sample(range(1, 21), 2 if rng.random() < 0.05 else 1)
    return [_annotation(one, suggested, rng, one.number * 10 + k, author) for k, author in enumerate(authors)]


def _annotation(one: Task, suggested: Rows, rng: random.Random, number: int, author: int) -> Annotation:
    found = Annotation(number, author, deleted=rng.random() < 0.03)
    many, skipped = (rng.choice((2, 3)) if rng.random() < 0.1 else 1), rng.random() < 0.04
    has_further = rng.random() < 0.05
    for version in range(many):
        change = rng.choices(("accepted as is", "ends moved", "boxes moved"), (0.4, 0.35, 0.25))[0]
        keyframes = [list(row) for row in suggested]
        if change == "ends moved":
            keyframes = longer(keyframes, rng.randrange(3, 9))
        if change == "boxes moved":
            keyframes = [[row[0], *(round(side + 0.03, 4) for side in row[1:])] for row in keyframes]
        further = tube(rng, 20, 60) if has_further else []
        saved_at = one.at + timedelta(hours=1 + version, seconds=rng.randrange(3600))
        found.versions.append(Version(saved_at, change, keyframes, further, skipped and version == many - 1))
    return found


def rows(one: Task, suggested: Rows, region_id: str) -> Iterator[tuple[str, Row]]:
    """Annotation versions, diffs and decisions of a task."""
    rng, labelled = one.rng("review"), None
    for k, found in enumerate(said_of(one, suggested)):
        for number, version in enumerate(found.versions, start=1):
            row = one.number * 20 + k * 10 + number
            yield "annotation", _version(one, found, number, row, region_id)
            yield "diff", _diff(row, one.number, version.change, region_id, skipped=version.skipped)
            if version.further and not version.skipped:
                yield "diff", _diff(row, None, "drawn from nothing", f"{region_id}b", object_=1)
            labelled = labelled if found.deleted or version.skipped else row
        if found.deleted:
            row = one.number * 20 + k * 10 + 9
            yield "annotation", _tombstone(one, found, row)
            yield "diff", _diff(row, one.number, "deleted", None, skipped=True)
    share = rng.random()
    if labelled is not None and share < 0.57:
        decision, reason = _DECISIONS[0 if share < 0.43 else 1 if share < 0.51 else 2]
        yield "review", _review(one, 1, decision, labelled, reason)
        if share < 0.03:
            yield "review", _review(one, 2, "undone", labelled, None, undoes=one.number * 4 + 1)
    elif suggested and not said_of(one, suggested) and share < 0.05:
        yield "review", _review(one, 1, "accepted", None, None)


def _version(one: Task, found: Annotation, number: int, row: int, region_id: str) -> Row:
    version = found.versions[number - 1]
    result = version.result(region_id)
    entries = [] if version.skipped else [_entry(region_id, "Target", version.keyframes) | {"target": True}]
    if version.further and not version.skipped:
        entries.append(_entry(f"{region_id}b", "Other", version.further) | {"sentence": regions.FURTHER})
    return _common(one, found, row, number) | {
        "digest": digest([found.number, version.saved_at.isoformat(), version.skipped, result]),
        "ls_parent_prediction": one.number, "author_id": found.author, "lead_time_s": 20.0 + row % 60,
        "was_cancelled": version.skipped, "deleted": False, "tubes": entries, "result": result,
        "ls_created_at": found.versions[0].saved_at, "ls_updated_at": version.saved_at, "received_at": version.saved_at,
    }  # fmt: skip


def _tombstone(one: Task, found: Annotation, row: int) -> Row:
    return _common(one, found, row, len(found.versions) + 1) | {
        "digest": hashlib.sha256(f"deleted {found.number}".encode()).hexdigest(), "ls_parent_prediction": None,
        "author_id": None, "lead_time_s": None, "was_cancelled": False, "deleted": True, "tubes": [], "result": [],
        "ls_created_at": None, "ls_updated_at": None, "received_at": one.at + timedelta(hours=9),
    }  # fmt: skip


def _common(one: Task, found: Annotation, row: int, version: int) -> Row:
    return {
        "id": row, "ls_annotation_id": found.number, "version": version, "task_id": one.number,
        "prediction_id": one.number, "event_id": None, "verdict": None, "problem": None, "reader": READER,
        "reread_of": None,
    }  # fmt: skip


def _entry(region_id: str, label: str, keyframes: Rows) -> dict[str, Any]:
    ends = [keyframes[0][0], keyframes[-1][0]]
    return {"region_id": region_id, "label": label, "intervals": [ends], "keyframes": keyframes}


def _diff(
    row: int, prediction: int | None, change: str, region_id: str | None, *, object_: int = 0, skipped: bool = False
) -> Row:
    compared = prediction is not None and not skipped
    return {
        "id": row * 2 + object_, "annotation_id": row, "object": object_,
        "sentence": regions.FURTHER if object_ else None, "prediction_id": prediction,
        "change": "skipped" if skipped and change != "deleted" else change, "region_id": None if skipped else region_id,
        "tiou": 0.9 if compared else None, "viou": 0.8 if compared else None, "start_shift": 0 if compared else None,
        "end_shift": 3 if compared else None, "first_frame": 10 if compared else None,
        "frame_ious": np.full(100, 0.9, dtype="<f2").tobytes() if compared else None,
        "edits": None if skipped else {"accepted as is": 0, "ends moved": 1}.get(change, 3),
        "edits_from_nothing": None if skipped else 3, "created_at": datetime.fromisoformat("2025-12-20T00:00:00Z"),
    }  # fmt: skip


def _review(
    one: Task, nth: int, decision: str, annotation: int | None, reason: str | None, undoes: int | None = None
) -> Row:
    return {
        "id": one.number * 4 + nth, "task_id": one.number, "annotation_id": annotation, "prediction_id": one.number,
        "decision": decision, "reason": reason, "comment": "", "undoes_id": undoes, "account_id": None,
        "reviewer": "rita", "created_at": one.at + timedelta(hours=20 + nth), "told_state": None, "told_attempts": 0,
        "told_next_at": None, "told_leased_by": None, "told_reason": None,
    }  # fmt: skip
