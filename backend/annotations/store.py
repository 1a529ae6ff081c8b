"""Which tube does an annotation hold, by what is stored of its task and its video?

Pure: what is stored comes as values (``backend.annotations.context``), so that it can be computed outside of any
transaction. The rule itself is ``backend.annotations.read``; here its arguments are put together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from backend.annotations.context import Known
from backend.annotations.ends import TOLERANCE
from backend.annotations.marks import LONE, of_entry
from backend.annotations.objects import own_of
from backend.annotations.read import BLIND, READER, Page, read
from backend.db.annotations import moment
from backend.db.tables import Annotation, Prediction
from backend.labelstudio.asking import suggested_as
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import USUAL_ASPECT, Interval, drawn_frames, read_ranges, read_verdict
from backend.labelstudio.values import counted_frames

MAX_BLIND_FRAMES = 20_000
"""Boxes of one annotation, over all frames, that are filled in before anybody opened the video: 13 minutes at 25 frames
per second. Until then only the annotation itself says how long the video is."""

_SPAN = "-span"


@dataclass(frozen=True)
class Reading:
    """The columns of an annotation that come of its ``result``."""

    tubes: list[dict[str, Any]]
    verdict: str | None
    reader: int
    problem: str | None = None

    def columns(self) -> dict[str, Any]:
        return {"tubes": self.tubes, "verdict": self.verdict, "reader": self.reader, "problem": self.problem}


def origin(known: Known, result: Sequence[Mapping[str, Any]], config: LabelConfig | None) -> Prediction | None:
    """The prediction that an annotation began from: by Label Studio's number, else by a region's id.

    Regions with a sentence of their own say nothing of it.
    """
    if known.delivered is not None:
        return known.delivered
    own = own_of(known.task, result, config, known.suggestions) if config is not None else {}
    names = [suggested_as(region) for region in result if region.get("id") and region["id"] not in own]
    found = [known.suggestions[name] for name in names if name in known.suggestions]
    return max(found, key=lambda row: row.id, default=None)


def read_version(
    result: Sequence[Mapping[str, Any]], config: LabelConfig, known: Known, began: Prediction | None,
    saved_at: datetime | None,
) -> Reading:  # fmt: skip
    """Read an annotation by what is stored.

    Args:
        began: the suggestion that the annotation began from.
        saved_at: by Label Studio's clock; what was saved before says what was changed since.
    """
    video = None if known.task is None else known.task.video
    n_frames = video.n_frames if video is not None else counted_frames(result)
    verdict = read_verdict(result, config)
    reader = READER if video is not None else BLIND
    if not n_frames:
        return Reading([], verdict, reader)
    if video is None and (boxes := drawn_frames(result, config, n_frames=n_frames)) > MAX_BLIND_FRAMES:
        return Reading([], verdict, reader, _too_long(boxes))
    page = Page(
        n_frames=n_frames,
        suggested=_agreed(_before(known, saved_at), config, n_frames) | _suggested(known),
        own=own_of(known.task, result, config, known.suggestions),
        region_id=None if began is None else began.region_id,
        aspect=USUAL_ASPECT if video is None else video.width / video.height,
    )
    return Reading(read(result, config, page, lambda wish: known.found.get(wish.key)), verdict, reader)


def _too_long(boxes: int) -> str:
    return (
        f"Its boxes cover {boxes} frames, and the video was not opened yet: more than {MAX_BLIND_FRAMES} are not "
        "filled in on the annotation's word. They are read when a worker has opened the video."
    )


def _suggested(known: Known) -> dict[str, Interval]:
    """First and last frame of each suggestion that a region may have come from, by its id."""
    return {
        name: (row.start_frame, row.end_frame)
        for name, row in known.suggestions.items()
        if row.start_frame is not None and row.end_frame is not None
    }


def _before(known: Known, saved_at: datetime | None) -> list[Annotation]:
    """The versions that Label Studio saved before a moment, newest first; without skips and readings again."""
    if saved_at is None:
        return []
    rows = [
        row
        for row in known.versions
        if not (row.deleted or row.was_cancelled or row.reread_of) and moment(row) < saved_at.timestamp()
    ]
    return sorted(rows, key=lambda row: (moment(row), row.version), reverse=True)


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
