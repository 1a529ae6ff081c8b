"""Which settings of the joining agree best with some corrections? A greedy search, parameter by parameter.

The order is maps, interval, weights, twice; at the end, each change is taken back that does not earn ``MIN_GAIN``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from stvg_core.calibration.items import Item, Outcome, outcome
from stvg_core.calibration.rejoin import Rejoiner
from stvg_core.settings import GroundingSettings, may_have_masks
from stvg_core.tube import Array

MIN_GAIN = 0.002
"""A change is taken only where the mean vIoU rises by so much: less is noise, and the present settings are known."""
ROUNDS = 2
CENTRES = (0.02, 0.05, 0.08, 0.12, 0.16, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
TOP_KS = (1, 2, 3, 4, 5, 7, 9, 12, 15)
WEIGHTS = (0.0, 0.25, 0.5, 1.0, 2.0)
Options = Sequence[dict[str, Any]]
_TOGETHER = (
    ("attention",), ("role_tokens",), ("tas_operator",), ("tas_temporal",), ("interval", "centre", "top_k"),
    ("coverage",), ("proposer_weight",),
)  # fmt: skip


class Measured:
    """Items under settings; what was computed once is kept, so that all folds share it.

    Args:
        tick: called after each item that had to be computed, with the number of settings tried so far.
    """

    def __init__(self, items: Sequence[Item], tick: Callable[[int], None] = lambda tried: None) -> None:
        self.items = items
        self._rejoiners = [Rejoiner(item.evidence) for item in items]
        self._tick = tick
        self._known: dict[GroundingSettings, list[Outcome]] = {}

    @property
    def tried(self) -> int:
        """How many settings were computed."""
        return len(self._known)

    def outcomes(self, settings: GroundingSettings) -> list[Outcome]:
        """One per item.

        Raises:
            CannotRejoin: the settings need rows that an item lacks.
        """
        if settings not in self._known:
            found = []
            for item, rejoined in zip(self.items, self._rejoiners, strict=True):
                found.append(outcome(rejoined(settings), item.truth))
                self._tick(len(self._known))
            self._known[settings] = found
        return self._known[settings]

    def vious(self, settings: GroundingSettings) -> Array:
        """``(N,)``."""
        return np.array([one.viou for one in self.outcomes(settings)])

    def options(self, settings: GroundingSettings) -> dict[str, Options]:
        """The values to try by parameter, in the order in which they are tried: maps, interval, weights."""
        tokens = min(one.tokens for one in self._rejoiners)
        roles = ["gti", "mean", *(f"token-{n}" for n in range(1, tokens + 1))]
        found: dict[str, Options] = {"attention": [{"attention": name} for name in ("relative", "raw")]}
        found["role_tokens"] = [{"role_tokens": name} for name in roles]
        if settings.tas:
            found["tas_operator"] = [{"tas_operator": name} for name in ("mean", "max", "product", "forward")]
            if all(one.temporal_both_ways for one in self._rejoiners):
                found["tas_temporal"] = [{"tas_temporal": on} for on in (False, True)]
        segment: list[dict[str, Any]] = [{"interval": "segment", "centre": centre} for centre in CENTRES]
        found["interval"] = segment + [{"interval": "top_k", "top_k": k} for k in TOP_KS if k < settings.n_slots]
        masks = ("mask",) if all(item.evidence.masks.size for item in self.items) and may_have_masks(settings) else ()
        found["coverage"] = [{"coverage": name} for name in ("fraction", "peak", *masks)]
        found["proposer_weight"] = [{"proposer_weight": weight} for weight in WEIGHTS]
        return found


def search(measured: Measured, start: GroundingSettings, rows: Array) -> GroundingSettings:
    """The best settings that are found for the items ``rows`` (indices), beginning with ``start``."""

    def mean(settings: GroundingSettings) -> float:
        return float(measured.vious(settings)[rows].mean())

    best, score = start, mean(start)
    for _ in range(ROUNDS):
        before = best
        for options in measured.options(start).values():
            tried = [(mean(one), one) for one in (replace(best, **change) for change in options)]
            value, candidate = max(tried, key=lambda pair: pair[0])
            if value >= score + MIN_GAIN:
                best, score = candidate, value
        if best == before:
            break
    return _without_the_needless(best, start, score, mean)


def _without_the_needless(
    best: GroundingSettings, start: GroundingSettings, score: float, mean: Callable[[GroundingSettings], float]
) -> GroundingSettings:
    """What made up for a bad interval rule, say, may do nothing any more once that rule is mended."""
    for fields in _TOGETHER:
        simpler = replace(best, **{name: getattr(start, name) for name in fields})
        if simpler != best and (value := mean(simpler)) > score - MIN_GAIN:
            best, score = simpler, value
    return best
