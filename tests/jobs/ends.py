"""A suggestion, what an annotator makes of it on the timeline, and what is stored of that."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

from sqlalchemy import select

from backend.annotations.keyframe_rows import keyframes
from backend.db import annotations as versions
from backend.db import predictions
from backend.db.tables import Annotation, Diff, Task
from backend.export.record import Record
from backend.export.records import records
from backend.jobs.corrections import read_events
from backend.review import recording
from stvg_core.keyframes import expand
from stvg_core.tube import Tube
from tests.jobs.conftest import Loop, Region
from tests.jobs.test_corrections import _box, _saved, _send


def dragged(regions: list[Region], *, start: int = 0, end: int = 0) -> list[Region]:
    """The same with the range's ends moved by so many frames."""
    changed = copy.deepcopy(regions)
    [ends] = changed[1]["value"]["ranges"]
    ends["start"] += start
    ends["end"] += end
    return changed


def save(loop: Loop, result: list[Region], *, minute: int = 0, number: int = 8) -> Annotation:
    """Submit or update; returns the version that counts."""
    action = "ANNOTATION_UPDATED" if minute else "ANNOTATION_CREATED"
    _send(loop, _saved(action, result=result, minute=minute, number=number))
    read_events(loop.database)
    return current(loop, number)


def current(loop: Loop, number: int = 8) -> Annotation:
    with loop.database.read() as session:
        return next(row for row in versions.current(session) if row.ls_annotation_id == number)


def tube(row: Annotation) -> Tube:
    return expand(keyframes(row.tubes[0]["keyframes"]))


def marks(row: Annotation) -> list[tuple[str, list[int]]]:
    return [(one["mark"], one["frames"]) for one in row.tubes[0].get("marks", [])]


def the_diff(loop: Loop, row: Annotation) -> Diff:
    with loop.database.read() as session:
        return session.scalars(select(Diff).where(Diff.annotation_id == row.id, Diff.object == 0)).one()


def exported(loop: Loop) -> tuple[list[Record], Counter[str]]:
    counts: Counter[str] = Counter()
    with loop.database.read() as session:
        return list(records(session, counts)), counts


def ends(regions: list[Region]) -> tuple[int, int]:
    """First and last frame of the suggestion, 0-based."""
    return tuple(regions[0]["value"]["sequence"][k]["frame"] - 1 for k in (0, -1))  # type: ignore[return-value]


def drawn_with_range(span: Region, *, box: int, end: int) -> list[Region]:
    """A box drawn by hand from frame 5 on, and a range set by hand, with these last frames (from 0)."""
    ranges = [{"start": 6, "end": end + 1}]
    return [_box("hand", last=box + 1), {**span, "id": "n", "value": {**span["value"], "ranges": ranges}}]


def old(loop: Loop, row: Annotation, **values: Any) -> None:
    """As a version was left by the rule before: the box's own ends, no marks."""
    with loop.database.write() as session:
        stored = session.get_one(Annotation, row.id)
        entry = dict(stored.tubes[0])
        page = entry.pop("page", None) or {}
        kept = {key: entry[key] for key in ("region_id", "label", "intervals", "keyframes")} | page
        stored.tubes, stored.reader = [kept], 0
        for name, value in values.items():
            setattr(stored, name, value)
        session.query(Diff).filter(Diff.annotation_id == row.id).delete()
    recording.record_missing(loop.database)


def probe(loop: Loop, n_frames: int = 40) -> None:
    """The video of the one task becomes known."""
    with loop.database.write() as session:
        facts = {"width": 320, "height": 240, "fps_num": 25, "fps_den": 1, "duration_s": 2.0, "size_bytes": 9}
        video = predictions.store_video(session, "0" * 64, n_frames=n_frames, **facts)
        session.scalars(select(Task)).one().video_id = video.id
