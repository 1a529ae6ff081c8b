"""What did an annotator leave on the page? One tube for each box region, with what a person must know of it.

A pure function from Label Studio's ``result`` to the entries of ``annotation.tubes``; everything else (edits, effort,
agreement, calibration, the review pages, exports) asks these. When each tube begins and ends is decided in
``backend.annotations.ends``.

An entry is ``{"region_id", "label", "intervals", "keyframes"}`` and, where they say something:

- ``target``: true for the region that answers the task's sentence,
- ``sentence``, ``suggested_as``: an object with a sentence of its own, and the suggestion that it came from,
- ``marks``: see ``backend.annotations.marks``,
- ``page``: intervals and keyframes of the box itself, where the timeline set ends; ``moved``: how many it set,
- ``wishes``: what a worker should look for in the video (``backend.annotations.wish``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.annotations.ends import Ends, decide
from backend.annotations.keyframe_rows import keyframe_rows, keyframes
from backend.annotations.marks import FOLLOWED, HELD, LONE, OUTSIDE, mark
from backend.annotations.objects import OwnSentence
from backend.annotations.target import target_entry
from backend.annotations.wish import Followed, Wish, nothing
from backend.labelstudio.asking import is_marked, suggested_as
from backend.labelstudio.config import LabelConfig
from backend.labelstudio.result import USUAL_ASPECT, Interval, LabelledTube, Range, read_ranges, result_to_tubes
from stvg_core.keyframes import expand
from stvg_core.tube import Array, Tube

READER = 2
"""Of the present rule. A higher one reads every stored annotation again."""

BLIND = 1
"""Read by the present rule while the video was not known yet: read again when it is."""

MIN_IOU = 0.999
"""Corrections keep their shape: keyframes that people set are found again, not approximated."""

_SPAN = "-span"
_ENDLESS = 2**31


@dataclass(frozen=True)
class Page:
    """What an annotation is read against.

    Attributes:
        n_frames: of the video.
        suggested: first and last frame of each suggestion that a region may have come from, by its id.
        own: the regions with a sentence of their own.
        region_id: of the suggestion that the annotation began from.
        aspect: the picture's width by its height.
    """

    n_frames: int
    suggested: Mapping[str, Interval]
    own: Mapping[str, OwnSentence]
    region_id: str | None = None
    aspect: float = USUAL_ASPECT


def read(
    result: Sequence[Mapping[str, Any]], config: LabelConfig, page: Page, followed: Followed = nothing
) -> list[dict[str, Any]]:
    """The entries of an annotation, in the order of its regions."""
    boxes = result_to_tubes(result, config, n_frames=page.n_frames, aspect=page.aspect)
    regions = {str(region.get("id", "")): region for region in result if region.get("type") == "videorectangle"}
    entries = [_entry(box, page.own.get(box.region_id)) for box in boxes]
    label = next(iter(config.labels), None)
    origins = [suggested_as(regions.get(box.region_id, {"id": box.region_id})) for box in boxes]
    own = next((box.region_id for box, origin in zip(boxes, origins, strict=True) if origin == page.region_id), None)
    target = target_entry(entries, label=label, region_id=own)
    ranges, outside = _ranges(result, config, page.n_frames)
    for number, (box, entry) in enumerate(zip(boxes, entries, strict=True)):
        mine = [one for one in ranges if _owner(one, origins) == number]
        if entry is target:
            entry["target"] = True
            mine += [one for one in ranges if _owner(one, origins) is None]
            if outside:
                entry.setdefault("marks", []).append(mark(OUTSIDE, *outside))
        if entry is not target and not entry.get("sentence") and not mine:
            continue
        offered = next((page.suggested[_origin(one)] for one in mine if _origin(one) in page.suggested), None)
        suggested = page.suggested.get(origins[number])
        ends = decide(box, mine, suggested, offered)
        _apply(entry, box, ends, followed)
        alone = box.keyframes == 1 and suggested is None and not is_marked(regions.get(box.region_id, {}))
        if alone and page.n_frames > 1:
            entry.setdefault("marks", []).append(mark(LONE, entry["intervals"][0][0], entry["intervals"][-1][1]))
            _wish(entry, _offered(box, mine))
    return entries


def _entry(box: LabelledTube, own: OwnSentence | None) -> dict[str, Any]:
    return {
        "region_id": box.region_id,
        "label": box.label,
        "intervals": [list(interval) for interval in box.intervals],
        "keyframes": keyframe_rows(box.tube, min_iou=MIN_IOU),
        **({} if own is None else own.entry()),
    }


def _ranges(
    result: Sequence[Mapping[str, Any]], config: LabelConfig, n_frames: int
) -> tuple[list[Range], Interval | None]:
    """The ranges inside the video, and the first one that lies outside of it wholly."""
    every = read_ranges(result, n_frames=_ENDLESS, config=config)
    beyond = [(one.first, one.last) for one in every if one.first >= n_frames]
    return read_ranges(result, n_frames=n_frames, config=config), beyond[0] if beyond else None


def _origin(one: Range) -> str:
    return one.region_id.removesuffix(_SPAN)


def _owner(one: Range, origins: Sequence[str]) -> int | None:
    """The box that a range was suggested with, None where it is not there or the range was set by hand."""
    if not one.region_id.endswith(_SPAN):
        return None
    return next((number for number, origin in enumerate(origins) if origin == _origin(one)), None)


def _apply(entry: dict[str, Any], box: LabelledTube, ends: Ends, followed: Followed) -> None:
    """Write the tube between its ends, with the boxes that the page does not have."""
    first, last = ends.intervals[0][0], ends.intervals[-1][1]
    tube = expand(keyframes(entry["keyframes"]))
    if ends.intervals != box.intervals:
        entry["page"] = {"intervals": entry["intervals"], "keyframes": entry["keyframes"]}
        if ends.moved:
            entry["moved"] = ends.moved
        tube, marks = _longer(entry, tube, ends.intervals, followed)
        rows = tube.boxes[first - tube.start_frame : last - tube.start_frame + 1]
        entry["intervals"] = [list(interval) for interval in ends.intervals]
        entry["keyframes"] = keyframe_rows(Tube(first, rows), min_iou=MIN_IOU)
        entry.setdefault("marks", []).extend(marks)
    entry.setdefault("marks", []).extend(mark(kind, first, last) for kind in ends.marks)
    if not entry["marks"]:
        del entry["marks"]


def _longer(
    entry: dict[str, Any], tube: Tube, intervals: Sequence[Interval], followed: Followed
) -> tuple[Tube, list[dict[str, Any]]]:
    """The tube from the first frame that is shown or drawn to the last; added frames are followed or held."""
    first, last = intervals[0][0], intervals[-1][1]
    marks: list[dict[str, Any]] = []
    if first < tube.start_frame:
        wish = Wish(tube.start_frame, _box(tube.boxes[0]), first, tube.start_frame - 1)
        tube = replace(tube, start_frame=first, boxes=np.concatenate([_fill(entry, wish, followed, marks), tube.boxes]))
    if last > tube.end_frame:
        wish = Wish(tube.end_frame, _box(tube.boxes[-1]), tube.end_frame + 1, last)
        tube = replace(tube, boxes=np.concatenate([tube.boxes, _fill(entry, wish, followed, marks)]))
    shown = ((one, max(one["frames"][0], first), min(one["frames"][1], last)) for one in marks)
    return tube, [mark(one["mark"], a, b) for one, a, b in shown if a <= b]


def _fill(entry: dict[str, Any], wish: Wish, followed: Followed, marks: list[dict[str, Any]]) -> Array:
    """``(N, 4)`` boxes for the frames of a wish; says in ``marks`` where they come from."""
    assert wish.first is not None and wish.last is not None
    found = followed(wish)
    frames = np.arange(wish.first, wish.last + 1)
    if found is None:
        if _can_be_followed(wish.box):
            _wish(entry, wish)
        marks.append(mark(HELD, wish.first, wish.last))
        return np.tile(np.asarray(wish.box, dtype=np.float32), (len(frames), 1))
    seen = frames[(frames >= found.seen[0]) & (frames <= found.seen[1])]
    if len(seen):
        marks.append(mark(FOLLOWED, seen[0], seen[-1]))
    for rest in (frames[frames < found.seen[0]], frames[frames > found.seen[1]]):
        if len(rest):
            marks.append(mark(HELD, rest[0], rest[-1]))
    rows = np.clip(frames, found.tube.start_frame, found.tube.end_frame) - found.tube.start_frame
    return found.tube.boxes[rows]


def _offered(box: LabelledTube, ranges: Sequence[Range]) -> Wish:
    """A single box is followed over the one range that the annotator set around it, else to the ends of the action."""
    frame, known = box.tube.start_frame, _box(box.tube.boxes[0])
    if len(ranges) == 1 and ranges[0].first <= frame <= ranges[0].last:
        return Wish(frame, known, ranges[0].first, ranges[0].last, offer=True)
    return Wish(frame, known, offer=True)


def _wish(entry: dict[str, Any], wish: Wish) -> None:
    entry.setdefault("wishes", []).append(wish.to_json())


def _box(box: Array) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (round(float(side), 6) for side in box)
    return x1, y1, x2, y2


def _can_be_followed(box: tuple[float, float, float, float]) -> bool:
    return box[0] < box[2] and box[1] < box[3]
