"""Evidence without a model: an object that is looked at brightly on one slot and faintly over its whole action."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from stvg_core.method.evidence import Evidence, Rows
from stvg_core.method.interval import cut
from stvg_core.method.join import join
from stvg_core.method.maps import maps
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track, Tube

T, SIDE, FRAMES = 10, 4, 100
SLOTS = np.arange(5, FRAMES, 10)
SETTINGS = GroundingSettings(n_slots=T, tas=False, lra_steps=0, decomposer="rules", centre=0.5)
"""``centre`` of 0.5 finds the bright slot only; about 0.2 finds the action."""
BOTH_WAYS = GroundingSettings(n_slots=T, tas=True, tas_temporal=True, lra_steps=0, decomposer="rules", centre=0.5)


@dataclass(frozen=True)
class Planted:
    """An answer under some settings, and what would have been right."""

    evidence: Evidence
    tube: Tube
    truth: Tube


def tracks() -> list[Track]:
    """The object, and one that is never looked at, each in a cell of its own and there all the time."""
    boxes = [[0.02, 0.02, 0.22, 0.22], [0.55, 0.55, 0.72, 0.7]]
    return [Track(np.array([0, FRAMES - 1]), np.tile(np.float32(box), (2, 1)), 0.9) for box in boxes]


def planted(number: int, settings: GroundingSettings = SETTINGS, *, noise: bool = False) -> Planted:
    """With ``noise`` the truth has nothing to do with what was looked at."""
    random = np.random.default_rng(number)
    first = int(random.integers(1, 4))
    last = int(random.integers(first + 3, T - 1))
    rows = random.uniform(0.01, 0.02, size=(3, T, SIDE, SIDE))
    rows[:, first : last + 1, 0, 0] += 0.35
    rows[:, int(random.integers(first, last + 1)), 0, 0] = 1.0
    looks = _one_way(rows, random)
    backward = _one_way(rows[:, ::-1] * random.uniform(0.98, 1.02, size=rows.shape), random) if settings.tas else None
    looks = replace(looks, backward=backward)
    evidence, choice = join(
        looks, maps(looks, settings), tracks(), SLOTS, lambda boxes: boxes, FRAMES, settings, 1.0
    )  # fmt: skip
    start, end = 10 * first, 10 * last + 9
    if noise:
        start, end = sorted(random.integers(0, FRAMES, size=2).tolist())
    truth = cut(tracks()[0], start, end)
    return Planted(evidence, cut(tracks()[choice.chosen], *choice.span), truth)


def stored(evidence: Evidence) -> Evidence:
    """As it comes back from the database."""
    return Evidence.from_bytes(
        evidence.to_bytes(), chosen=evidence.chosen, consistency=evidence.consistency, info=dict(evidence.info)
    )


def _one_way(rows: Array, random: np.random.Generator) -> Rows:
    spatial = np.ascontiguousarray(rows).astype(np.float32) * np.float32(1e-4)
    neutral = random.uniform(0.9e-4, 1.1e-4, size=(4, *rows.shape[1:])).astype(np.float32)
    return Rows(spatial, spatial, neutral, np.array([1.5], np.float32))
