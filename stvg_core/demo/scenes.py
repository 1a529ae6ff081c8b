"""The synthetic domain: what is in a clip, what is asked of it, and where the truth lies.

A scene holds coloured shapes on a cluttered background. Each object stands still except during one interval,
in which it does one action. One object is the target: the query names its colour, shape and action and fits
no other object, though others may share any two of the three.

Positions are fractions of the frame's width and height; ``half`` (half an object's extent) is a fraction of
``sqrt(width * height)``, so that shapes are not squashed in the clip's own aspect ratio.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from stvg_core.demo.domain import (
    ACTIONS,
    COLOURS,
    DIRECTIONS,
    FINITE_VERB,
    FRAME_RATES,
    FRAME_SIZES,
    LEVELS,
    PALETTE,
    PHRASINGS,
    SHAPES,
    USUAL,
    Difficulty,
    Level,
    World,
    describe,
)
from stvg_core.demo.drawing import draw_frames

__all__ = [
    "ACTIONS", "COLOURS", "DIRECTIONS", "FINITE_VERB", "FRAME_RATES", "FRAME_SIZES", "PHRASINGS", "SHAPES",
    "Difficulty", "Scene", "SceneObject", "describe", "half_extent", "render", "sample_scene", "uniform_frames",
]  # fmt: skip


@dataclass(frozen=True)
class SceneObject:
    """One shape, its one action (``action`` None: it never acts) and everything needed to draw it at any
    frame.
    """

    colour: str
    shape: str
    action: str | None
    start: int  # first frame of the action, 0-based
    end: int  # last frame of the action, inclusive
    centre: tuple[float, float]  # before the action, fractions of width and height
    half: float  # before the action
    amount: float  # moving: distance; growing, shrinking: factor; shaking: amplitude; blinking: period in seconds
    opacity: float
    tint: tuple[int, int, int]  # RGB
    faint: float = 0.15  # blinking: what is left of the opacity in the faint half
    ease: float = 0.0  # moving, growing, shrinking: 0 is an even speed, 1 slow at both ends

    def pose(self, frames: np.ndarray, fps: float) -> np.ndarray:
        """Centre x, centre y, half, opacity at each of ``frames`` (T,), as (T, 4)."""
        frames = np.asarray(frames, dtype=np.float64)
        pose = np.empty((len(frames), 4))
        pose[:] = (*self.centre, self.half, self.opacity)
        if self.action is None:
            return pose
        progress = np.clip((frames - self.start) / max(self.end - self.start, 1), 0.0, 1.0)
        acting = (frames >= self.start) & (frames <= self.end)
        seconds = (frames - self.start) / fps
        progress += self.ease * progress * (1 - progress) * (2 * progress - 1)
        if self.action in DIRECTIONS:
            pose[:, :2] += progress[:, None] * self.amount * np.array(DIRECTIONS[self.action])
        elif self.action in ("growing", "shrinking"):
            pose[:, 2] *= self.amount**progress
        elif self.action == "blinking":
            # An uneven rhythm, so that no sampling rate sees only the bright or only the faint half of it.
            turn = 2 * np.pi * seconds / self.amount
            faint = acting & (np.sin(turn + 1.3 * np.sin(turn / 2.7)) > 0)
            pose[faint, 3] *= self.faint
        else:  # shaking: two frequencies without a common period
            pose[:, 0] += acting * self.amount * np.sin(2 * np.pi * 2.7 * seconds)
            pose[:, 1] += acting * self.amount * np.sin(2 * np.pi * 1.9 * seconds + 0.7) * 0.7
        return pose

    def acting(self, frames: np.ndarray) -> np.ndarray:
        """Whether the action holds at each of ``frames`` (T,), bool."""
        frames = np.asarray(frames)
        return (frames >= self.start) & (frames <= self.end) if self.action else np.zeros(len(frames), bool)


@dataclass(frozen=True)
class Scene:
    """A clip before it is drawn: its frames, its objects and which one the query is about."""

    fps: Fraction
    width: int
    height: int
    n_frames: int
    objects: tuple[SceneObject, ...]  # drawn in this order
    target: int  # index into objects
    query: str
    backdrop_seed: int
    backdrop: str = "clutter"
    noise: tuple[float, float] = USUAL.noise

    @property
    def truth(self) -> tuple[int, int]:
        """First and last frame of the target's action, 0-based, inclusive."""
        return self.objects[self.target].start, self.objects[self.target].end

    @property
    def duration(self) -> float:
        """Seconds."""
        return float(self.n_frames / self.fps)

    def poses(self, frames: np.ndarray) -> np.ndarray:
        """(objects, T, 4): centre x, centre y, half, opacity."""
        return np.stack([o.pose(frames, float(self.fps)) for o in self.objects])

    def boxes(self, index: int, frames: np.ndarray | None = None) -> np.ndarray:
        """Normalised xyxy (T, 4) of one object, cut at the border; NaN where less than a fifth of it is in
        the frame.

        What another object hides still counts: the box is where the object is, as in the benchmark datasets.
        """
        frames = np.arange(self.n_frames) if frames is None else np.asarray(frames)
        pose = self.objects[index].pose(frames, float(self.fps))
        reach = pose[:, 2:3] * np.array(half_extent(self.width, self.height))
        full = np.concatenate([pose[:, :2] - reach, pose[:, :2] + reach], axis=1)
        cut = full.clip(0.0, 1.0)
        inside = (cut[:, 2:] - cut[:, :2]).prod(axis=1) / (full[:, 2:] - full[:, :2]).prod(axis=1)
        cut[inside < 0.2] = np.nan
        return cut


def half_extent(width: int, height: int) -> tuple[float, float]:
    """What ``half`` = 1 spans horizontally and vertically, as fractions of the frame."""
    return (height / width) ** 0.5, (width / height) ** 0.5


def uniform_frames(n_frames: int, count: int) -> np.ndarray:
    """``count`` frame indices spread evenly over the clip, both ends included (int64)."""
    return np.linspace(0, n_frames - 1, count).round().astype(np.int64)


def render(scene: Scene, frame_indices: np.ndarray | None = None, size: tuple[int, int] | None = None) -> np.ndarray:
    """Draw frames, uint8 RGB (T, H, W, 3); ``size`` (width, height) draws directly at that size, squashed if
    need be.
    """
    frames = np.arange(scene.n_frames) if frame_indices is None else np.asarray(frame_indices)
    width, height = size or (scene.width, scene.height)
    reach = half_extent(scene.width, scene.height)
    shapes = [(o.shape, o.tint) for o in scene.objects]
    return draw_frames(
        scene.poses(frames), shapes, reach, frames, scene.backdrop_seed, width, height, scene.backdrop, scene.noise
    )


def sample_scene(
    rng: np.random.Generator,
    *,
    n_objects: int | None = None,
    difficulty: Difficulty = "medium",
    phrasing: int | None = None,
    action: str | None = None,
    max_seconds: float | None = None,
    world: World = USUAL,
) -> Scene:
    """Draw a scene. ``action`` fixes the target's action, ``phrasing`` the query's form."""
    level = LEVELS[difficulty]
    fps = world.frame_rates[rng.integers(len(world.frame_rates))]
    width, height = world.frame_sizes[rng.integers(len(world.frame_sizes))]
    shortest, longest = world.seconds
    n_frames = round(rng.uniform(shortest, max(longest if max_seconds is None else max_seconds, shortest)) * fps)
    count = n_objects or int(rng.integers(level.n_objects[0], level.n_objects[1] + 1))
    identities = _identities(rng, count, level, action)
    placed: list[SceneObject] = []
    for number, (colour, shape, what) in enumerate(identities):
        start, end = _interval(rng, n_frames, level)
        best, least = None, np.inf
        for _ in range(14):
            candidate = _place(rng, colour, shape, what, start, end, level, world, (width, height), number == 0)
            clash = _overlap(candidate, placed, float(fps), n_frames)
            if clash < least:
                best, least = candidate, clash
            if least <= level.overlap:
                break
        assert best is not None
        placed.append(best)
    order = rng.permutation(count)
    colour, shape, what = identities[0]
    assert what is not None
    form = int(rng.integers(len(PHRASINGS))) if phrasing is None else phrasing
    return Scene(
        fps, width, height, n_frames, tuple(placed[i] for i in order), int(np.flatnonzero(order == 0)[0]),
        describe(colour, shape, what, form), int(rng.integers(2**31)),
        world.backdrops[0] if len(world.backdrops) == 1 else str(rng.choice(world.backdrops)), world.noise,
    )  # fmt: skip


def _identities(
    rng: np.random.Generator, count: int, level: Level, action: str | None
) -> list[tuple[str, str, str | None]]:
    """(colour, shape, action) of each object, the target first, its triple unique."""

    def pick(options: tuple[str, ...], but: str | None = None) -> str:
        return str(rng.choice([o for o in options if o != but]))

    colour, shape, what = pick(COLOURS), pick(SHAPES), action or pick(ACTIONS)
    found: list[tuple[str, str, str | None]] = [(colour, shape, what)]
    if count > 1 and rng.random() < level.twin:
        found.append((colour, shape, pick(ACTIONS, what)))
    while len(found) < count:
        kind = rng.random()
        idle = rng.random() < 0.2
        other: tuple[str, str, str | None]
        if kind < 0.3:  # the same action
            other = (pick(COLOURS), pick(SHAPES), what)
        elif kind < 0.5:  # the same colour
            other = (colour, pick(SHAPES, shape), None if idle else pick(ACTIONS))
        elif kind < 0.7:  # the same shape
            other = (pick(COLOURS, colour), shape, None if idle else pick(ACTIONS))
        else:
            other = (pick(COLOURS), pick(SHAPES), None if idle else pick(ACTIONS))
        if other[:2] != (colour, shape):
            found.append(other)
    return found


def _interval(rng: np.random.Generator, n_frames: int, level: Level) -> tuple[int, int]:
    length = max(int(n_frames * rng.uniform(*level.action_share)), 6)
    start = int(rng.integers(0, n_frames - length))
    return start, start + length - 1


def _place(
    rng: np.random.Generator,
    colour: str,
    shape: str,
    action: str | None,
    start: int,
    end: int,
    level: Level,
    world: World,
    size: tuple[int, int],
    is_target: bool,
) -> SceneObject:
    """One try at a position and strength of motion; the target stays inside the frame throughout."""
    half = float(rng.uniform(*level.half)) * _within(rng, world.size)
    widest, amount, span = half, 0.0, np.zeros(2)
    if action in DIRECTIONS:
        amount = float(rng.uniform(*world.travel))
        span = amount * np.array(DIRECTIONS[action], dtype=float)
    elif action == "growing":
        amount = float(rng.uniform(*world.growth))
        half *= 0.85
        widest = half * amount
    elif action == "shrinking":
        amount = float(1 / rng.uniform(*world.growth))
        half = widest = half * 0.85 / amount
    elif action == "shaking":
        amount = float(rng.uniform(*world.shake))
    elif action == "blinking":
        amount = float(rng.uniform(*world.blink))
    margin = widest * np.array(half_extent(*size)) + (amount if action == "shaking" else 0.0)
    low, high = margin, 1.0 - margin
    low, high = low + np.maximum(-span, 0.0), high - np.maximum(span, 0.0)
    low, high = np.minimum(low, (low + high) / 2), np.maximum(high, (low + high) / 2)
    centre = rng.uniform(low, high)
    if span.any() and not is_target and rng.random() < level.passing:
        axis = int(np.abs(span).argmax())
        before, after = (-margin[axis], 1 + margin[axis])  # just outside on either side
        enters = rng.random() < 0.5
        outside = (before if span[axis] > 0 else after) if enters else (after if span[axis] > 0 else before)
        centre[axis] = outside if enters else outside - span[axis]
    base = np.array(PALETTE[colour], dtype=float) * rng.uniform(0.88, 1.0) + rng.normal(0, 8, 3)
    tint = tuple(int(v) for v in base.clip(0, 255))
    item = SceneObject(
        colour, shape, action, start, end, (float(centre[0]), float(centre[1])), half, amount,
        float(rng.uniform(level.contrast, 1.0)), tint,  # type: ignore[arg-type]
        _within(rng, world.faint), _within(rng, world.ease),
    )  # fmt: skip
    return item if action else replace(item, start=-1, end=-1)


def _within(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """A number between two bounds; nothing is drawn where they leave no choice."""
    return bounds[0] if bounds[0] == bounds[1] else float(rng.uniform(*bounds))


def _overlap(item: SceneObject, others: list[SceneObject], fps: float, n_frames: int) -> float:
    """Largest overlap of the (square) extents over a few moments, as a share of the smaller area."""
    moments = np.linspace(0, n_frames - 1, 9)
    mine, worst = item.pose(moments, fps), 0.0
    for other in others:
        theirs = other.pose(moments, fps)
        joint = mine[:, 2:3] + theirs[:, 2:3] - np.abs(mine[:, :2] - theirs[:, :2])
        smaller = 2 * np.minimum(mine[:, 2:3], theirs[:, 2:3])
        worst = max(worst, float((joint.clip(0, smaller) / smaller).prod(axis=1).max()))
    return worst
