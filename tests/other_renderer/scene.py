"""What is in a clip and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stvg_core.tube import Track, Tube
from tests.other_renderer.motion import EASINGS, WAYS, Thing

TINTS = {
    "red": (206, 28, 40), "green": (28, 150, 60), "blue": (30, 72, 214), "yellow": (236, 212, 30),
    "purple": (138, 50, 178), "orange": (240, 124, 26), "white": (240, 240, 238), "cyan": (48, 200, 216),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
ACTIONS = (*WAYS, "growing", "shrinking", "blinking", "shaking")
VERBS = {"growing": "grows", "shrinking": "shrinks", "blinking": "blinks", "shaking": "shakes"}
VERBS |= {way: way.replace("moving", "moves") for way in WAYS}
SIZES = ((480, 270), (640, 360), (854, 480), (1280, 720), (270, 480), (360, 640), (720, 1280), (480, 480), (640, 480))
RATES = ("10", "15", "24000/1001", "25", "30000/1001", "30", "50", "60")
MOST_PIXELS = 330_000_000  # of all pictures together: a clip is drawn in seconds
BACKDROPS = ("gradient", "tiles", "photo", "plain", "stripes")


@dataclass(frozen=True)
class Scene:
    """A clip, its question and its truth."""

    seed: int
    rate: Fraction
    width: int
    height: int
    n_frames: int
    things: tuple[Thing, ...]  # drawn in this order
    target: int
    query: str
    backdrop: str
    light: float  # mean grey of the backdrop
    noise: float  # of the sensor, in grey values
    crf: int
    codec: str

    @property
    def fps(self) -> float:
        return float(self.rate)

    def tracks(self) -> list[Track]:
        """Every thing's true track; frames on which it is out of the picture are bridged."""
        out, frames = [], np.arange(self.n_frames)
        for number, thing in enumerate(self.things):
            boxes = thing.boxes(frames, self.fps, self.width, self.height)
            seen = np.isfinite(boxes).all(axis=1)
            if seen.any():
                out.append(Track(frames[seen], boxes[seen], source="truth", label=str(number)))
        return out

    @property
    def target_track(self) -> Track:
        return next(track for track in self.tracks() if track.label == str(self.target))

    @property
    def truth(self) -> Tube:
        thing = self.things[self.target]
        return Tube(thing.first, self.target_track.at(np.arange(thing.first, thing.last + 1)))


def sample(seed: int) -> Scene:
    """The scene of a seed; the target alone fits its query and stays inside the picture."""
    rng = np.random.default_rng(seed)
    width, height = SIZES[rng.integers(len(SIZES))]
    rate = Fraction(RATES[rng.integers(len(RATES))])
    longest = min(30.0, MOST_PIXELS / (width * height) / float(rate))
    n_frames = round(rng.uniform(4.0, max(longest, 4.5)) * float(rate))
    backdrop = BACKDROPS[rng.integers(len(BACKDROPS))]
    light = float(rng.uniform(30, 100) if rng.random() < 0.6 else rng.uniform(150, 215))
    names = _names(rng, int(rng.integers(3, 7)), light)
    placed: list[Thing] = []
    for number, (colour, shape, action) in enumerate(names):
        tries = [_place(rng, colour, shape, action, n_frames, rate, (width, height), number == 0) for _ in range(12)]
        moments = np.linspace(0, n_frames - 1, 12)
        placed.append(min(tries, key=lambda thing: max(0.2, _clash(thing, placed, moments, float(rate)))))
    order = rng.permutation(len(placed))
    colour, shape, action = names[0]
    forms = (f"the {colour} {shape} {action}", f"the {colour} {shape} that {VERBS[action]}",
             f"a {colour} {shape} {VERBS[action]}")  # fmt: skip
    return Scene(
        seed, rate, width, height, n_frames, tuple(placed[i] for i in order), int(np.flatnonzero(order == 0)[0]),
        forms[rng.integers(3)], backdrop, light, float(rng.uniform(0, 6)), int(rng.integers(18, 35)),
        "libx265" if rng.random() < 0.15 else "libx264",
    )  # fmt: skip


def _names(rng: np.random.Generator, count: int, light: float) -> list[tuple[str, str, str | None]]:
    """Colour, shape and action of each, the target first; no other has all three of it."""
    # White on a light ground is not to be seen, by nobody.
    colours = [name for name in TINTS if light < 130 or name not in ("white", "yellow", "cyan")]

    def other(options: list[str] | tuple[str, ...], than: str | None) -> str:
        return str(rng.choice([one for one in options if one != than]))

    target = str(rng.choice(colours)), str(rng.choice(SHAPES)), str(rng.choice(ACTIONS))
    found: list[tuple[str, str, str | None]] = [target]
    if rng.random() < 0.4:
        found.append((*target[:2], other(ACTIONS, target[2])))
    while len(found) < count:
        kind, action = rng.integers(4), None if rng.random() < 0.15 else str(rng.choice(ACTIONS))
        colour, shape = str(rng.choice(colours)), str(rng.choice(SHAPES))
        if kind == 0:
            action = target[2]
        elif kind == 1:
            colour = target[0]
        elif kind == 2:
            shape = target[1]
        if (colour, shape) != target[:2]:
            found.append((colour, shape, action))
    return found


def _place(
    rng: np.random.Generator, colour: str, shape: str, action: str | None, n_frames: int, rate: Fraction,
    size: tuple[int, int], is_target: bool,
) -> Thing:  # fmt: skip
    side = (size[0] * size[1]) ** 0.5
    length = max(int(n_frames * rng.uniform(0.2, 0.6)), round(0.8 * rate))
    first = int(rng.integers(0, max(n_frames - length, 1)))
    last = min(first + length, n_frames) - 1
    radius, reach, widest = float(rng.uniform(0.065, 0.115) * side), 0.0, 0.0
    way = np.array(WAYS.get(action or "", (0, 0)), float)
    if action in WAYS:
        reach = float(rng.uniform(0.25, 0.6) * abs(way @ np.array(size)))
        widest = radius
    elif action == "growing":
        radius *= 0.8
        reach = float(rng.uniform(1.5, 2.2))
        widest = radius * reach
    elif action == "shrinking":
        radius *= 1.35
        reach = float(rng.uniform(0.45, 0.66))
        widest = radius
    elif action == "shaking":
        reach = float(rng.uniform(0.025, 0.05) * side)
        widest = radius + reach
    else:
        widest = radius
    low, high = np.full(2, widest), np.array(size) - widest
    low, high = low + (-way * reach).clip(0), high - (way * reach).clip(0)
    place = rng.uniform(np.minimum(low, high), np.maximum(low, high))
    if action in WAYS and not is_target and rng.random() < 0.25:  # comes in or goes out
        axis = int(np.abs(way).argmax())
        edge = -radius if (way[axis] > 0) == (rng.random() < 0.5) else size[axis] + radius
        place[axis] = edge if (edge < 0) == (way[axis] > 0) else edge - way[axis] * reach
    tint = np.array(TINTS[colour]) * rng.uniform(0.85, 1.05) + rng.normal(0, 6, 3)
    rhythm = (rng.uniform(2.0, 3.6), rng.uniform(1.5, 3.0)) if action == "shaking" else rng.uniform(0.2, 0.5, 2)
    return Thing(
        colour, shape, action, first if action else -1, last if action else -1, (float(place[0]), float(place[1])),
        radius, reach, EASINGS[rng.integers(len(EASINGS))], (float(rhythm[0]), float(rhythm[1])),
        (float(rng.uniform(0, 6)), float(rng.uniform(0, 6))), float(rng.uniform(0, 0.25)),
        float(rng.uniform(0.85, 1)), tuple(int(v) for v in tint.clip(0, 255)),  # type: ignore[arg-type]
    )  # fmt: skip


def _clash(thing: Thing, others: list[Thing], moments: np.ndarray, fps: float) -> float:
    """The largest share of the smaller extent that another one shares with it."""
    mine, worst = thing.poses(moments, fps), 0.0
    for one in others:
        theirs = one.poses(moments, fps)
        smaller = 2 * np.minimum(mine[:, 2], theirs[:, 2])
        joint = mine[:, 2:3] + theirs[:, 2:3] - np.abs(mine[:, :2] - theirs[:, :2])
        worst = max(worst, float((joint.clip(0, smaller[:, None]) / smaller[:, None]).prod(axis=1).max()))
    return worst
