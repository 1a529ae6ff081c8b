"""What did a person draw? One region of an annotation: its boxes, and the frames on which they are shown.

Stored keyframes are already Label Studio's (inclusive ``enabled: false``, open tail: ``backend.labelstudio.result``). A
region that was switched off in between is one tube with several intervals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backend.labelstudio.result import Interval
from stvg_core.keyframes import Keyframe, expand
from stvg_core.metrics import box_iou
from stvg_core.tube import Array, Tube


@dataclass(frozen=True)
class Drawn:
    """A tube and where it is shown.

    Attributes:
        tube: from the first frame shown to the last, filled linearly where it is switched off.
        intervals: the frames shown, 0-based, both ends included, in order, apart from each other.
        region_id: Label Studio's id of the region, "" where it has none.
    """

    tube: Tube
    intervals: tuple[Interval, ...]
    region_id: str = ""

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
        """One entry of ``annotation.tubes``."""
        tube = expand(keyframes(entry["keyframes"]))
        intervals = entry.get("intervals") or [[tube.start_frame, tube.end_frame]]
        return cls(tube, tuple((int(a), int(b)) for a, b in intervals), str(entry.get("region_id") or ""))

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


def target_entry(
    tubes: Sequence[Mapping[str, Any]], *, label: str | None, region_id: str | None
) -> Mapping[str, Any] | None:
    """Of several stored regions the one that answers the sentence, None where nothing is drawn.

    That is one with the interface's first ``label``; of those the suggestion's own (``region_id``); of those the
    longest. Objects with a sentence of their own answer that one.
    """

    def rank(entry: Mapping[str, Any]) -> tuple[bool, bool, int]:
        rows = entry["keyframes"]
        return entry.get("label") == label, entry.get("region_id") == region_id, int(rows[-1][0]) - int(rows[0][0])

    asked = (entry for entry in tubes if entry.get("keyframes") and not entry.get("sentence"))
    return max(asked, key=rank, default=None)


def further_entries(tubes: Sequence[Mapping[str, Any]]) -> list[tuple[int, Mapping[str, Any]]]:
    """The objects with a sentence of their own, numbered from 1 as in ``diff.object``."""
    own = [entry for entry in tubes if entry.get("keyframes") and entry.get("sentence")]
    return list(enumerate(own, start=1))


def keyframes(rows: Sequence[Any]) -> list[Keyframe]:
    """Stored ``[[frame, x1, y1, x2, y2], ...]`` as keyframes."""
    return [Keyframe(int(row[0]), np.asarray(row[1:5], dtype=np.float32)) for row in rows]
