"""The vocabulary of the synthetic world: what there is, how it is called, and how hard a scene may be."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

COLOURS = ("red", "green", "blue", "yellow", "purple", "orange", "white", "cyan")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
ACTIONS = (
    "moving left", "moving right", "moving up", "moving down", "growing", "shrinking", "blinking", "shaking",
)  # fmt: skip
FINITE_VERB = {
    "moving left": "moves left", "moving right": "moves right", "moving up": "moves up", "moving down": "moves down",
    "growing": "grows", "shrinking": "shrinks", "blinking": "blinks", "shaking": "shakes",
}  # fmt: skip
PHRASINGS = ("the {c} {s} {ing}", "the {c} {s} that {verb}", "a {c} {s} {verb}")
FRAME_RATES = tuple(Fraction(*r) for r in ((10, 1), (12, 1), (15, 1), (24, 1), (25, 1), (30000, 1001), (30, 1)))
FRAME_SIZES = ((320, 240), (384, 216), (256, 256), (240, 320), (426, 240), (352, 288))
DIRECTIONS = {"moving left": (-1, 0), "moving right": (1, 0), "moving up": (0, -1), "moving down": (0, 1)}
Difficulty = Literal["easy", "medium", "hard", "crowded"]


@dataclass(frozen=True)
class Level:
    """What a difficulty means; pairs are ranges."""

    n_objects: tuple[int, int]
    half: tuple[float, float]
    action_share: tuple[float, float]  # of the clip's frames
    twin: float  # probability of an object with the target's colour and shape but another action
    overlap: float  # the largest tolerated overlap of two objects, as a share of the smaller one
    contrast: float  # the least opacity of an object
    passing: float  # probability that a moving distractor enters or leaves through the border


LEVELS: dict[str, Level] = {
    "easy": Level((3, 4), (0.085, 0.12), (0.30, 0.55), 0.25, 0.05, 1.0, 0.0),
    "medium": Level((3, 6), (0.070, 0.11), (0.22, 0.60), 0.45, 0.25, 0.85, 0.2),
    "hard": Level((5, 7), (0.058, 0.10), (0.15, 0.70), 0.65, 0.50, 0.70, 0.3),
    # More, smaller and fainter objects than the embedded model was trained on, so that no part of the method is idle.
    "crowded": Level((6, 9), (0.050, 0.085), (0.12, 0.80), 0.90, 0.60, 0.60, 0.3),
}


@dataclass(frozen=True)
class World:
    """Within which bounds clips differ, beside their difficulty; pairs are ranges, ends included.

    The defaults are the world of the validation, test and demo clips. Training draws from :data:`WIDE` too, so that
    the model does not depend on what these clips have in common.
    """

    frame_rates: tuple[Fraction, ...] = FRAME_RATES
    frame_sizes: tuple[tuple[int, int], ...] = FRAME_SIZES  # width, height
    seconds: tuple[float, float] = (6.0, 20.0)
    size: tuple[float, float] = (1.0, 1.0)  # times the difficulty's half extents
    travel: tuple[float, float] = (0.3, 0.65)  # how far a moving object goes, as a share of the frame
    growth: tuple[float, float] = (1.6, 2.2)  # how many times larger it grows, or smaller it shrinks
    shake: tuple[float, float] = (0.03, 0.05)  # amplitude, as a share of the frame
    blink: tuple[float, float] = (0.55, 0.95)  # seconds
    faint: tuple[float, float] = (0.15, 0.15)  # what is left of a blinking object's opacity
    ease: tuple[float, float] = (0.0, 0.0)  # 0: even speed; 1: slow at both ends of the way
    noise: tuple[float, float] = (2.0, 7.0)  # of the sensor, grey values
    backdrops: tuple[str, ...] = ("clutter",)  # kinds, see stvg_core/demo/backdrops.py


USUAL = World()
WIDE = World(
    frame_rates=(*FRAME_RATES, *(Fraction(*r) for r in ((20, 1), (48, 1), (50, 1), (60000, 1001), (60, 1)))),
    frame_sizes=(*FRAME_SIZES, (640, 272), (272, 640), (480, 270), (270, 480), (360, 360), (400, 300), (300, 400)),
    seconds=(3.0, 40.0),
    size=(0.75, 1.25),
    travel=(0.15, 0.75),
    growth=(1.4, 2.8),
    shake=(0.02, 0.06),
    blink=(0.4, 1.4),
    faint=(0.0, 0.35),
    ease=(0.0, 1.0),
    noise=(0.0, 9.0),
    backdrops=("clutter", "plain", "gradient", "tiles", "clouds", "light"),
)


def describe(colour: str, shape: str, action: str, phrasing: int = 0) -> str:
    """The query for an object in one of the ``PHRASINGS``."""
    return PHRASINGS[phrasing].format(c=colour, s=shape, ing=action, verb=FINITE_VERB[action])


PALETTE: dict[str, tuple[int, int, int]] = {
    "red": (222, 32, 38), "green": (34, 168, 52), "blue": (38, 66, 226), "yellow": (240, 222, 40),
    "purple": (150, 44, 190), "orange": (246, 134, 20), "white": (248, 248, 248), "cyan": (40, 214, 226),
}  # fmt: skip
