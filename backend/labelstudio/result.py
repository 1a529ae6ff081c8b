"""Between a tube and Label Studio's regions. Which frames and boxes does a ``videorectangle`` mean?

Inside, frames are 0-based and boxes normalised corners; Label Studio counts frames from 1 and stores percent of the
picture, top-left corner and size. A keyframe with ``enabled: false`` is still drawn and is the last of its interval; an
interval without one runs to the end of the video; between keyframes all numbers are linear. A box that was turned is
turned clockwise around its top-left corner, in pixels; it counts as the upright box around it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from backend.labelstudio.config import LabelConfig
from stvg_core.keyframes import Keyframe, simplify
from stvg_core.tube import Array, Tube

KEYFRAME_KEYS = ("frame", "enabled", "rotation", "x", "y", "width", "height", "time")
"""A keyframe without all of these breaks the interpolation on the page (NaN) or the project's export (status 500)."""

USUAL_ASPECT = 16 / 9
"""Width by height of a picture that nobody has measured yet; it matters for turned boxes only."""

Interval = tuple[int, int]


class VideoLike(Protocol):
    """What a result says of the video."""

    @property
    def fps(self) -> float: ...
    @property
    def n_frames(self) -> int: ...
    @property
    def duration_s(self) -> float: ...


@dataclass(frozen=True)
class LabelledTube:
    """One region as an annotation holds it.

    Attributes:
        region_id: Label Studio's id of the region; a corrected proposal keeps the proposal's.
        label: its first label, None for a box that was drawn without one.
        tube: from the first frame on which the region is drawn to the last, filled linearly where it is switched off.
        intervals: the frames on which it is drawn, 0-based, both ends included; several after a switch in between.
        keyframes: how many keyframes the region has.
        score: the proposal's score where it carries one.
        open_ended: its last keyframe is switched on, so that it is drawn to the end of the video.
    """

    region_id: str
    label: str | None
    tube: Tube
    intervals: tuple[Interval, ...]
    keyframes: int
    score: float | None = None
    open_ended: bool = False


@dataclass(frozen=True)
class Range:
    """A range on the timeline: 0-based frames, both ends included, and Label Studio's id of its region."""

    first: int
    last: int
    region_id: str = ""


def tube_to_result(
    tube: Tube,
    *,
    info: VideoLike,
    config: LabelConfig,
    score: float,
    region_id: str,
    label: str | None = None,
    keyframes: Sequence[Keyframe] | None = None,
    meta: Mapping[str, Any] | None = None,
    span: bool = True,
    counts: str | None = None,
) -> list[dict[str, Any]]:
    """The regions of one tube: sparse boxes, and the span on the timeline where the interface has one.

    Args:
        info: the decoded video; frames and times are true only where the page counts with ``info.fps``.
        label: one of the interface's labels, its first by default.
        keyframes: of ``tube``, where they are known already.
        meta: of the box region; Label Studio keeps it and shows its ``text`` as the region's note.
        span: also on the timeline.
        counts: whether the box counts, in words for the region list, where the interface has a place for it.

    Raises:
        ValueError: the tube ends after the video.
    """
    if tube.end_frame >= info.n_frames:
        raise ValueError(f"the tube ends at frame {tube.end_frame}, the video at {info.n_frames - 1}")
    chosen = list(keyframes) if keyframes is not None else simplify(tube)
    value: dict[str, Any] = {"framesCount": info.n_frames, "duration": round(info.duration_s, 6)}
    label = label or next(iter(config.labels), None)
    if label is not None:
        value["labels"] = [label]
    value["sequence"] = [_keyframe(k, info.fps, last=k is chosen[-1]) for k in chosen]
    regions = [_region(region_id, config.box_name, config.video_name, "videorectangle", score, value)]
    if meta:
        regions[0]["meta"] = dict(meta)
    if span and config.timeline_name and config.timeline_labels:
        when = {
            "ranges": [{"start": tube.start_frame + 1, "end": tube.end_frame + 1}],
            "timelinelabels": [config.timeline_labels[0]],
        }
        regions.append(
            _region(f"{region_id}-span", config.timeline_name, config.video_name, "timelinelabels", score, when)
        )
    if counts and config.counts_name:
        said = {"framesCount": value["framesCount"], "duration": value["duration"], "text": [counts]}
        regions.append(_region(region_id, config.counts_name, config.video_name, "textarea", score, said))
    return regions


def result_to_tubes(
    result: Sequence[Mapping[str, Any]], config: LabelConfig, *, n_frames: int, aspect: float = USUAL_ASPECT
) -> list[LabelledTube]:
    """Every region of an annotation or prediction that is drawn on at least one frame of the video.

    Tolerant of what people and imports leave behind: unsorted or doubled keyframes (the later one counts), missing
    rotation, time or labels, boxes over the edge (cut), frames after the video's end (cut), keyframes without numbers
    (left out). A turned box is turned on every frame as the page does it, and counts as the upright box around it.

    Args:
        aspect: the picture's width by its height; of meaning where a box was turned.
    """
    tubes = []
    for region in _regions(result, config):
        value = region.get("value") or {}
        frames, shapes, enabled = read_shapes(value.get("sequence") or [])
        intervals = _intervals(frames, enabled, n_frames)
        if not intervals:
            continue
        wanted = np.arange(intervals[0][0], intervals[-1][1] + 1)
        filled = np.stack([np.interp(wanted, frames, shapes[:, k]) for k in range(5)], axis=1)
        tubes.append(
            LabelledTube(
                region_id=str(region.get("id", "")),
                label=next((str(name) for name in value.get("labels") or []), None),
                tube=Tube(start_frame=intervals[0][0], boxes=upright(filled, aspect)),
                intervals=tuple(intervals),
                keyframes=len(frames),
                score=_number(region.get("score")),
                open_ended=enabled[-1],
            )
        )
    return tubes


def drawn_frames(result: Sequence[Mapping[str, Any]], config: LabelConfig, *, n_frames: int) -> int:
    """How many boxes :func:`result_to_tubes` would make, in all regions together."""
    found = 0
    for region in _regions(result, config):
        frames, _, enabled = read_shapes((region.get("value") or {}).get("sequence") or [])
        intervals = _intervals(frames, enabled, n_frames)
        found += intervals[-1][1] - intervals[0][0] + 1 if intervals else 0
    return found


def _regions(result: Sequence[Mapping[str, Any]], config: LabelConfig) -> list[Mapping[str, Any]]:
    """The boxes on the interface's video."""
    name = config.video_name
    return [one for one in result if one.get("type") == "videorectangle" and one.get("to_name", name) == name]


def read_spans(
    result: Sequence[Mapping[str, Any]], *, n_frames: int, config: LabelConfig | None = None
) -> list[Interval]:
    """The ranges on the timeline, 0-based, both ends included, in order, cut to the video."""
    return [(entry.first, entry.last) for entry in read_ranges(result, n_frames=n_frames, config=config)]


def read_ranges(
    result: Sequence[Mapping[str, Any]], *, n_frames: int, config: LabelConfig | None = None
) -> list[Range]:
    """The same with their regions' ids. Ranges that lie outside of the video whole are left out.

    Args:
        config: only ranges of its timeline with its first timeline label: others do not say when the target is there.
    """
    found = []
    for region in result:
        if region.get("type") != "timelinelabels" or not _says_when(region, config):
            continue
        for entry in (region.get("value") or {}).get("ranges") or []:
            start, end = _number(entry.get("start")), _number(entry.get("end"))
            if start is None or end is None or min(start, end) > n_frames or max(start, end) < 0:
                continue
            first, last = sorted((int(start), int(end)))
            found.append(Range(max(first, 1) - 1, min(max(last, 1), n_frames) - 1, str(region.get("id") or "")))
    return sorted(found, key=lambda entry: (entry.first, entry.last))


def _says_when(region: Mapping[str, Any], config: LabelConfig | None) -> bool:
    if config is None:
        return True
    labels = (region.get("value") or {}).get("timelinelabels") or []
    mine = region.get("from_name", config.timeline_name) == config.timeline_name
    return mine and (not labels or not config.timeline_labels or config.timeline_labels[0] in labels)


def read_verdict(result: Sequence[Mapping[str, Any]], config: LabelConfig) -> str | None:
    """What the annotator says of the proposal ("correct", "wrong object", ...), None where nothing is chosen."""
    for region in result:
        if region.get("type") == "choices" and region.get("from_name") == config.verdict_name:
            return next((str(choice) for choice in (region.get("value") or {}).get("choices") or []), None)
    return None


def _region(
    region_id: str, from_name: str, to_name: str, kind: str, score: float, value: dict[str, Any]
) -> dict[str, Any]:
    return {
        "id": region_id,
        "from_name": from_name,
        "to_name": to_name,
        "type": kind,
        "origin": "prediction",
        "score": round(float(score), 6),
        "value": value,
    }


def _keyframe(keyframe: Keyframe, fps: float, *, last: bool) -> dict[str, Any]:
    x1, y1, x2, y2 = (min(max(float(v), 0.0), 1.0) * 100 for v in keyframe.box)
    frame = int(keyframe.frame) + 1
    return {
        "frame": frame,
        "enabled": not last,
        "rotation": 0,
        "x": round(x1, 4),
        "y": round(y1, 4),
        "width": round(x2 - x1, 4),
        "height": round(y2 - y1, 4),
        "time": round(frame / fps, 6),
    }


def read_keyframes(
    sequence: Sequence[Mapping[str, Any]], *, aspect: float = USUAL_ASPECT
) -> tuple[Array, Array, list[bool]]:
    """Keyframes in order: ``(N,)`` 0-based frames, ``(N, 4)`` normalised corners, and whether each is switched on."""
    frames, shapes, enabled = read_shapes(sequence)
    return frames, upright(shapes, aspect), enabled


def read_shapes(sequence: Sequence[Mapping[str, Any]]) -> tuple[Array, Array, list[bool]]:
    """The same with ``(N, 5)`` shapes as the page has them: x, y, width, height in percent, rotation in degrees."""
    found: dict[int, tuple[list[float], bool]] = {}
    for entry in sequence:
        numbers = [_number(entry.get(key)) for key in ("frame", "x", "y", "width", "height")]
        if any(number is None for number in numbers):
            continue
        frame, *shape = (number for number in numbers if number is not None)
        turned = _number(entry.get("rotation")) or 0.0
        found[max(round(frame), 1) - 1] = ([*shape, turned], bool(entry.get("enabled", True)))
    order = sorted(found)
    shapes = np.array([found[frame][0] for frame in order], dtype=np.float64).reshape(-1, 5)
    return np.array(order, dtype=np.int64), shapes, [found[frame][1] for frame in order]


def upright(shapes: Array, aspect: float) -> Array:
    """The upright boxes around turned ones: ``(N, 5)`` shapes -> ``(N, 4)`` normalised corners, not cut to the picture.

    Args:
        shapes: x, y, width, height in percent of the picture; degrees clockwise around ``x, y``.
        aspect: the picture's width by its height: a turn keeps lengths in pixels, not in percent.
    """
    x, y, width, height, degrees = np.asarray(shapes, dtype=np.float64).reshape(-1, 5).T
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    straight = degrees == 0  # exactly as it is written
    cos, sin = np.where(straight, 1.0, cos), np.where(straight, 0.0, sin)
    none = np.zeros_like(x)
    along = np.stack([none, width * cos, width * cos - height / aspect * sin, -height / aspect * sin])
    down = np.stack([none, width * aspect * sin, width * aspect * sin + height * cos, height * cos])
    sides = [x + along.min(axis=0), y + down.min(axis=0), x + along.max(axis=0), y + down.max(axis=0)]
    return np.stack(sides, axis=1) / 100


def _intervals(frames: Array, enabled: Sequence[bool], n_frames: int) -> list[Interval]:
    """Where a region is drawn, cut to the video.

    A keyframe that is off with none on before it stands alone: Label Studio draws it on its own frame. After a tube was
    shortened such keyframes are left over and mean nothing, so they count only in a region that has no other.
    """
    spans: list[Interval] = []
    alone: list[Interval] = []
    start: int | None = None
    for frame, on in zip(frames.tolist(), enabled, strict=True):
        if on:
            start = frame if start is None else start
        elif start is None:
            alone.append((frame, frame))
        else:
            spans.append((start, frame))
            start = None
    if start is not None:
        spans.append((start, n_frames - 1))
    return [(first, min(last, n_frames - 1)) for first, last in spans or alone if first < n_frames]


def _number(value: object) -> float | None:
    """A finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return None
    return float(value)
