"""When does an object rest, and when does it do something? Read from its own boxes and from how much of it is seen.

A rest is a time in which every edge stays where it is and the object is seen as it mostly is. What lies between two
rests is an act: moving, growing, shaking, blinking. Only an act's border beside a rest is a clear one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stvg_core.tube import Array

REST_S = 0.7
"""Seconds: shorter rests are pauses within an act, as the bright time of something that blinks."""
BORDER_REST_S = 0.3
"""The same at the first and the last picture, beyond which the rest may go on."""
_STILL, _STILL_PX, _NOISES = 0.018, 0.4, 4.0  # of the size, pixels, and noise of the edges: what is no motion
_MOST_NOISE = 0.035  # of the size: more is no noise but shaking, in a clip that shows little else
_DRIFT = 0.35  # of that: more from one half of a rest's beginning to the other is slow motion
_CREEP = 0.5  # of that: the same from the first third of a whole rest to its last
_STEPS = 4.0  # of that: rests that are so near to each other in place and time are slow motion, too
_STEP_S = 0.5
_FLAT = 0.35  # of that: no more from first to last third in two rests that a jump parts
_SMOOTH_S = 0.07  # on both sides
_FAINT = 0.62  # of how strongly the object is mostly seen
_GLITCH_S = 0.15  # between two rests at the same place: too short for an act
_MISSED = 2  # pictures in a row whose boxes may disagree within a rest; unseen is none
_WAY_S = 0.2  # on both sides: for so long, a way is about a parabola
_FITS = 0.03  # of the size: so near to it are three quarters of the edges
_ONSET_S = 0.3  # so long before it was seen an act has begun at most
_SOON = 3  # rows: what is that fast has begun when it is seen
_POWER = 2**0.5, 2.0  # of an even acceleration, and of an even motion: see _leaves


@dataclass(frozen=True)
class Course:
    """What one object's boxes say over time.

    Attributes:
        places: ``(T, 6)`` in pixels: the edges, smoothed a little, and both sides, which tell of growing sooner.
        seen: ``(T,)`` bool, as strongly as mostly.
        still: pixels that an edge may be off within a rest.
        fps: rows per second.
    """

    places: Array
    seen: Array
    still: float
    fps: float

    @classmethod
    def of(cls, boxes: Array, shown: Array, known: Array, fps: float) -> Course:
        """``boxes`` and ``known`` of :func:`stvg_core.proposals.believing.believed`, ``shown`` as measured."""
        size = float(np.median(np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(1).prod(axis=1))))
        noise = 0.0
        if known.sum() > 4:
            # The quarter that changes least: what moves, or shakes, must not count as noise.
            second = np.quantile(np.abs(np.diff(boxes[known], n=2, axis=0)), 0.25, axis=0)
            noise = float(second.max()) / 0.319 / 6**0.5
        still = max(_STILL * size, _STILL_PX, min(_NOISES * noise, _MOST_NOISE * size))
        seen = shown >= _FAINT * float(np.percentile(shown, 80))
        edges = running_median(boxes, max(1, round(_SMOOTH_S * fps)))
        sides = (edges[:, 2:] - edges[:, :2]) / 2**0.5  # as noisy as an edge
        return cls(np.concatenate([edges, sides], axis=1), seen, still, fps)

    def rows(self, seconds: float) -> int:
        return max(1, round(seconds * self.fps))

    def level(self, first: int, last: int) -> Array:
        return np.asarray(np.median(self.places[first : last + 1], axis=0))


Span = tuple[int, int]


def running_median(values: Array, reach: int) -> Array:
    """``(T, n)`` medians over ``reach`` rows on both sides, near the ends fewer on both sides; NaN is left out."""
    count = len(values)
    out = np.full(values.shape, np.nan)
    padded = np.pad(values, ((reach, reach), (0, 0)), constant_values=np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0)
    some = np.isfinite(windows).any(axis=2).all(axis=1)
    out[some] = np.nanmedian(windows[some], axis=2)
    for row in {*range(min(reach, count)), *range(max(count - reach, 0), count)}:
        near = min(row, count - 1 - row)
        part = values[row - near : row + near + 1]
        if np.isfinite(part).any(axis=0).all():
            out[row] = np.nanmedian(part, axis=0)
    return out


def rests(course: Course) -> list[Span]:
    """First and last row of each rest, in order, both included."""
    count, found, row = len(course.places), [], 0
    while row < count:
        least = max(3, course.rows(BORDER_REST_S if row == 0 else REST_S))
        last = _rest_from(course, row, min(least, count - row))
        enough = least if last != count - 1 else max(3, course.rows(BORDER_REST_S))
        if last is not None and last - row + 1 >= enough:
            found.append((row, last))
            row = last + 1
        else:
            row += 1
    return _without_steps(_joined(found, course), course)


def acts(found: list[Span], course: Course) -> list[Span]:
    """``(first, last)`` row of each act between rests, both included; -1 for a border that no rest makes clear."""
    count = len(course.places)
    out: list[Span] = []
    before: Span | None = None
    for rest in [*found, None]:
        first = -1 if before is None else _leaves(course, before, 1)
        last = -1 if rest is None else _leaves(course, rest, -1)
        gap = (count if rest is None else rest[0]) - (0 if before is None else before[1] + 1)
        if gap > 0 and (first, last) != (-1, -1):
            out.append((first, last))
        before = rest
    return out


def steady(boxes: Array, found: list[Span], known: Array, fps: float) -> Array:
    """The boxes with one box, the median, for each rest; between them smoothed where they follow a smooth way."""
    out, begins = boxes.copy(), 0
    for first, last in [*found, (len(boxes), len(boxes))]:
        if first > begins:
            out[begins:first] = smooth(boxes[begins:first], max(2, round(_WAY_S * fps)))
        part = slice(first, last + 1)
        if known[part].any():
            out[part] = np.median(boxes[part][known[part]], axis=0)
        begins = last + 1
    return out


def smooth(boxes: Array, reach: int) -> Array:
    """Parabolas over ``reach`` rows on both sides, fitted to each edge without its outliers, where they fit.

    What shakes does not follow one and stays as it was measured. The same forwards and backwards in time.
    """
    count = len(boxes)
    if count < 2 * reach + 1:
        return boxes.copy()
    out = np.empty_like(boxes)
    starts = (np.arange(count) - reach).clip(0, count - 2 * reach - 1)  # near the ends the windows lean inwards
    windows = boxes[starts[:, None] + np.arange(2 * reach + 1)]  # (T, W, 4)
    steps = (starts[:, None] + np.arange(2 * reach + 1) - np.arange(count)[:, None]) / reach
    terms = np.stack([np.ones_like(steps), steps, steps**2], axis=2)  # (T, W, 3)
    sizes = np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(1).prod(axis=1))
    for edge in range(4):
        values, weights = windows[..., edge], np.ones(windows.shape[:2])
        for _ in range(3):
            weighted = terms * weights[..., None]
            normal = np.einsum("twi,twj->tij", weighted, terms) + 1e-6 * np.eye(3)
            solved = np.linalg.solve(normal, np.einsum("twi,tw->ti", weighted, values)[..., None])[..., 0]
            off = np.abs(values - np.einsum("twi,ti->tw", terms, solved))
            spread = np.maximum(np.median(off, axis=1), 0.1)
            weights = (1 - (off / (4.5 * spread[:, None])).clip(0, 1) ** 2) ** 2 + 1e-3
        # Three quarters, not half: of a few rows that shake, half lie near some parabola.
        fits = np.sort(off, axis=1)[:, (3 * off.shape[1]) // 4] <= np.maximum(_FITS * sizes, 0.5)
        out[:, edge] = np.where(fits, solved[:, 0], boxes[:, edge])
    return out


def _rest_from(course: Course, row: int, least: int) -> int | None:
    """The last row of the rest that begins at a row; None where none of ``least`` rows does."""
    first, half = course.places[row : row + least], max(1, least // 2)
    calm = (np.abs(course.places[row:] - np.median(first, axis=0)).max(axis=1) <= course.still) & course.seen[row:]
    drift = np.abs(first[-half:].mean(axis=0) - first[:half].mean(axis=0)).max()
    if not calm[0] or calm[:least].mean() < 0.9 or drift > _DRIFT * course.still:
        return None
    last = 0  # the last calm row before more than a few that are not
    for step in np.flatnonzero(calm).tolist():
        if step - last > _MISSED + 1 or not course.seen[row + last : row + step].all():
            break
        last = step
    if last + 1 < least or _creep(course, row, row + last) > _CREEP * course.still:
        return None
    return row + last


def _creep(course: Course, first: int, last: int) -> float:
    """Pixels that an edge goes from the first third of a rest to its last, at most."""
    third = max(1, (last - first + 1) // 3)
    begins, ends = course.level(first, first + third - 1), course.level(last - third + 1, last)
    return float(np.abs(begins - ends).max())


def _joined(found: list[Span], course: Course) -> list[Span]:
    """Rests at the same place with next to nothing between them are one."""
    out: list[Span] = []
    for rest in found:
        near = bool(out) and rest[0] - out[-1][1] - 1 <= course.rows(_GLITCH_S)
        if near and np.abs(course.level(*out[-1]) - course.level(*rest)).max() <= course.still:
            out[-1] = out[-1][0], rest[1]
        else:
            out.append(rest)
    return out


def _without_steps(found: list[Span], course: Course) -> list[Span]:
    """Slow motion looks like short rests, one beside the other: the shorter of two such is none.

    Two rests in which nothing creeps, with a jump between them, are no motion: a key frame of the file draws a resting
    object's edges anew. They become neighbours.
    """
    out = list(found)
    row = 0
    while row + 1 < len(out):
        one, other = out[row], out[row + 1]
        apart, gap = np.abs(course.level(*one) - course.level(*other)).max(), other[0] - one[1] - 1
        if gap > course.rows(_STEP_S) or not course.still < apart <= _STEPS * course.still:
            row += 1
        elif gap <= course.rows(_GLITCH_S) and all(
            _creep(course, *rest) <= _FLAT * course.still for rest in (one, other)
        ):
            out[row + 1] = one[1] + 1, other[1]
            row += 1
        else:
            out.pop(row if one[1] - one[0] < other[1] - other[0] else row + 1)
            row = max(row - 1, 0)
    return out


def _leaves(course: Course, rest: Span, way: int) -> int:
    """The first row of the act after a rest (``way`` 1), or the last one of that before it (-1).

    What begins slowly has begun before it is seen. Its distance from the rest grows as a power of time, between an even
    motion and an even acceleration: from when it is once, twice and four times what is seen, its beginning follows.
    """
    seen = (rest[1] if way > 0 else rest[0]) + way
    if not 0 <= seen < len(course.places):
        return -1
    if not course.seen[seen]:
        return seen
    limit = course.rows(_ONSET_S)
    # From the last row of the rest on.
    ahead = seen - way + way * np.arange(3 * limit)
    ahead = ahead[(ahead >= 0) & (ahead < len(course.places))]
    away = np.abs(course.places[ahead] - course.level(*rest)).max(axis=1) / course.still
    if away.max() < 4:
        return seen
    once, twice, fourfold = (_crossing(away, times) for times in (1.0, 2.0, 4.0))
    if fourfold - once < _SOON:
        return seen
    power = float(np.clip((fourfold - twice) / max(twice - once, 1e-6), *_POWER))
    early = min((twice - once) / (power - 1), limit, (rest[1] - rest[0]) / 2)
    return seen - way + way * (math.floor(once - early + 1e-6) + 1)


def _crossing(values: Array, level: float) -> float:
    """Where values first exceed a level, between two rows; the first row where they begin above it."""
    row = int((values > level).argmax())
    if row == 0:
        return 0.0
    return row - float((values[row] - level) / max(values[row] - values[row - 1], 1e-9))
