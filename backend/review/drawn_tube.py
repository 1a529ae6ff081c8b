"""What did a person draw? One region of an annotation: its boxes, and the frames on which they are shown.

Stored keyframes are already Label Studio's (inclusive ``enabled: false``, open tail: ``backend.labelstudio.result``). A
region that was switched off in between is one tube with several intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.annotations.keyframe_rows import keyframes
from backend.annotations.target import target_entry
from backend.labelstudio.result import Interval
from stvg_core.boxes import box_iou
from stvg_core.keyframes import expand
from stvg_core.tube import Array, Tube


@dataclass(frozen=True)
class Drawn:
    """A tube and where it is shown.

    Attributes:
        tube: from the first frame shown to the last, filled linearly where it is switched off.
        intervals: the frames shown, 0-based, both ends included, in order, apart from each other.
        region_id: Label Studio's id of the region, "" where it has none.
        page: the box itself, where the timeline set ends of it; ``moved`` is how many.
    """

    tube: Tube
    intervals: tuple[Interval, ...]
    region_id: str = ""
    page: Drawn | None = None
    moved: int = 0

    def __post_init__(self) -> None:
        edges = [edge for interval in self.intervals for edge in interval]
        inside = edges and edges[0] == self.tube.start_frame and edges[-1] == self.tube.end_frame
        apart = all(a[0] <= a[1] < b[0] for a, b in zip(self.intervals, self.intervals[1:], strict=False))
        if not inside or not apart:
            raise ValueError(f"intervals {self.intervals} are not of {self.tube.start_frame}..{self.tube.end_frame}")

    @classmethod
    def whole(cls, tube: Tube) -> Drawn:
        """A tube without a break."""
        return cls(tube, ((tube.start_frame, tube.end_frame),))

    @classmethod
    def stored(cls, entry: Mapping[str, Any]) -> Drawn:
        """One entry of ``annotation.tubes``, or of its ``page`` (the box before the timeline set its ends)."""
        tube = expand(keyframes(entry["keyframes"]))
        intervals = entry.get("intervals") or [[tube.start_frame, tube.end_frame]]
        page = Drawn.stored(entry["page"]) if entry.get("page") else None
        shown = tuple((int(a), int(b)) for a, b in intervals)
        return cls(tube, shown, str(entry.get("region_id") or ""), page, int(entry.get("moved") or 0))

    def parts(self) -> list[Tube]:
        """One tube per interval."""
        first = self.tube.start_frame
        return [Tube(a, self.tube.boxes[a - first : b - first + 1]) for a, b in self.intervals]

    def on(self, first: int, last: int) -> tuple[Array, Array]:
        """``(N, 4)`` boxes and ``(N,)`` bool "is shown" for frames ``first..last``; boxes elsewhere are the ends'."""
        frames = np.arange(first, last + 1)
        shown = np.zeros(len(frames), dtype=bool)
        for a, b in self.intervals:
            shown |= (frames >= a) & (frames <= b)
        rows = np.clip(frames, self.tube.start_frame, self.tube.end_frame) - self.tube.start_frame
        return self.tube.boxes[rows], shown


@dataclass(frozen=True)
class Overlap:
    """Two drawn tubes, frame by frame.

    Attributes:
        first_frame: 0-based; row i of ``frame_ious`` belongs to frame ``first_frame + i``.
        frame_ious: ``(N,)`` float64 from the first frame that either has to the last: the IoU where both are shown, 0
            where one is, NaN where none is.
        common: ``(N,)`` bool, both are shown.
    """

    first_frame: int
    frame_ious: Array
    common: Array

    @property
    def tiou(self) -> float:
        """Frames that both have, by frames that either has."""
        return float(self.common.sum() / np.isfinite(self.frame_ious).sum())

    @property
    def viou(self) -> float:
        """Mean of the IoU over the frames that either has."""
        return float(np.nanmean(self.frame_ious))


def overlap(a: Drawn, b: Drawn) -> Overlap:
    """Compare two tubes on every frame; the same numbers as ``stvg_core.metrics`` where neither has a break."""
    first = min(a.tube.start_frame, b.tube.start_frame)
    last = max(a.tube.end_frame, b.tube.end_frame)
    (boxes_a, shown_a), (boxes_b, shown_b) = a.on(first, last), b.on(first, last)
    common = shown_a & shown_b
    ious = np.where(common, box_iou(boxes_a, boxes_b), np.where(shown_a | shown_b, 0.0, np.nan))
    return Overlap(first, ious, common)


def target(tubes: Sequence[Mapping[str, Any]], *, label: str | None, region_id: str | None) -> Drawn | None:
    """:func:`target_entry` as a drawn tube."""
    chosen = target_entry(tubes, label=label, region_id=region_id)
    return None if chosen is None else Drawn.stored(chosen)


def further_entries(tubes: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects with a sentence of their own, numbered from 1 as in ``diff.object``."""
    own = [entry for entry in tubes if entry.get("keyframes") and entry.get("sentence")]
    return list(enumerate(own, start=1))
