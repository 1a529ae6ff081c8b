"""What does the database know that an annotation is read against?

The reading itself is a pure function (``backend.annotations.read``); here are its arguments: the video, the suggestions
that its regions came from, the sentences of their own, and what a worker followed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from backend.annotations.ends import TOLERANCE
from backend.annotations.marks import LONE, of_entry
from backend.annotations.objects import own_sentences
from backend.annotations.read import BLIND, READER, Page, read
from backend.annotations.rows import keyframes
from backend.annotations.wish import Followed, Found, Wish, nothing
from backend.db import followed, predictions
from backend.db.tables import Annotation, Prediction, Task
from backend.labelstudio.asking import suggested_as
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import USUAL_ASPECT, Interval, read_ranges, read_verdict
from backend.labelstudio.values import counted_frames
from stvg_core.keyframes import expand

_SPAN = "-span"


@dataclass(frozen=True)
class Reading:
    """The columns of an annotation that come of its ``result``."""

    tubes: list[dict[str, Any]]
    verdict: str | None
    reader: int

    def columns(self) -> dict[str, Any]:
        return {"tubes": self.tubes, "verdict": self.verdict, "reader": self.reader}


def read_for(
    session: Session, task: Task | None, result: Sequence[Mapping[str, Any]], config: LabelConfig,
    prediction_id: int | None, before: Sequence[Annotation] = (),
) -> Reading:  # fmt: skip
    """Read an annotation of a task by what is stored now.

    Args:
        prediction_id: the suggestion that the annotation began from.
        before: the versions that were saved before this one, newest first.
    """
    video = None if task is None else task.video
    n_frames = video.n_frames if video is not None else counted_frames(result)
    verdict = read_verdict(result, config)
    reader = READER if video is not None else BLIND
    if not n_frames:
        return Reading([], verdict, reader)
    began = None if prediction_id is None else session.get(Prediction, prediction_id)
    page = Page(
        n_frames=n_frames,
        suggested=_agreed(before, config, n_frames) | _suggested(session, task, result),
        own=own_sentences(session, task, result, config),
        region_id=None if began is None else began.region_id,
        aspect=USUAL_ASPECT if video is None else video.width / video.height,
    )
    tubes = read(result, config, page, nothing if video is None else _followed(session, video.sha256))
    return Reading(tubes, verdict, reader)


def _suggested(session: Session, task: Task | None, result: Sequence[Mapping[str, Any]]) -> dict[str, Interval]:
    """First and last frame of each suggestion that a region may have come from, by its id."""
    if task is None or task.video_id is None:
        return {}
    names = {suggested_as(region) for region in result if region.get("id")}
    names |= {name.removesuffix(_SPAN) for name in names}
    known = predictions.by_region(session, task.video_id, sorted(names))
    return {
        name: (row.start_frame, row.end_frame)
        for name, row in known.items()
        if row.start_frame is not None and row.end_frame is not None
    }


def _agreed(before: Sequence[Annotation], config: LabelConfig, n_frames: int) -> dict[str, Interval]:
    """When box and range last said the same: what differs from that now was changed since.

    For a box without a suggestion of ours (drawn, or imported) that stands in for what was suggested.
    """
    for row in before:
        entry = next((entry for entry in row.tubes if entry.get("target")), None)
        ranges = read_ranges(row.result, n_frames=n_frames, config=config)
        if entry is None or len(ranges) != 1 or LONE in of_entry(entry):
            continue
        shown = (entry.get("page") or entry)["intervals"]
        first, last, (when,) = int(shown[0][0]), int(shown[-1][1]), ranges
        if max(abs(first - when.first), abs(last - when.last)) <= TOLERANCE:
            name = when.region_id.removesuffix(_SPAN)
            return {name: (when.first, when.last)} | {str(entry["region_id"]): (first, last)}
    return {}


def _followed(session: Session, sha256: str) -> Followed:
    def look(wish: Wish) -> Found | None:
        row = followed.find(session, sha256, wish.key)
        return None if row is None else Found(expand(keyframes(row.keyframes)), (row.seen_first, row.seen_last))

    return look
