"""Do several people mean the same tube? Pairwise vIoU, the tube most of them share, and who stands apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backend.labelstudio.result import Interval
from backend.review.drawn_tube import Drawn, overlap
from stvg_core.tube import Array, Tube

SAME_TUBE = 0.5
"""The customary vIoU above which two tubes are the same; the others must reach it before anybody stands apart."""

APART = 0.5
"""Who agrees with the others less than half as well as they do among themselves stands apart."""


@dataclass(frozen=True)
class Opinion:
    """What one person says of a task: a tube, or None for "it is not there"."""

    author_id: int | None
    annotation_id: int
    drawn: Drawn | None


@dataclass(frozen=True)
class Agreement:
    """What ``N`` >= 2 people say of one task.

    Attributes:
        opinions: in the order of the rows below.
        pairs: ``(N, N)`` vIoU, symmetric, 1 on the diagonal; two who see nothing agree (1), one who does against one
            who does not 0.
        means: ``(N,)`` mean vIoU of each with the others.
        consensus: None where no frame has a majority.
        outliers: indices into ``opinions``.
    """

    opinions: tuple[Opinion, ...]
    pairs: Array
    means: Array
    consensus: Drawn | None
    outliers: tuple[int, ...]

    @property
    def mean(self) -> float:
        """Mean vIoU over the pairs, in [0, 1]; ``1 - mean`` orders tasks by disagreement."""
        return float(self.means.mean())

    @property
    def worst(self) -> float:
        """vIoU of the two who differ most."""
        return float(self.pairs.min())


def agree(opinions: Sequence[Opinion]) -> Agreement:
    """Compare everybody with everybody.

    Raises:
        ValueError: fewer than two opinions.
    """
    n = len(opinions)
    if n < 2:
        raise ValueError(f"agreement needs two opinions, got {n}")
    pairs = np.eye(n)
    for i in range(n):
        for j in range(i):
            pairs[i, j] = pairs[j, i] = shared(opinions[i].drawn, opinions[j].drawn)
    return Agreement(
        opinions=tuple(opinions),
        pairs=pairs,
        means=(pairs.sum(axis=1) - 1) / (n - 1),
        consensus=consensus([opinion.drawn for opinion in opinions]),
        outliers=outliers(pairs),
    )


def shared(a: Drawn | None, b: Drawn | None) -> float:
    """vIoU of two opinions."""
    if a is None or b is None:
        return float(a is b)
    return overlap(a, b).viou


def consensus(drawn: Sequence[Drawn | None]) -> Drawn | None:
    """The tube of the majority: a frame belongs to it where more than half of all show it.

    The box is the median of each side over those who show the frame; frames in between that have no majority are left
    out of its intervals and filled linearly, as for any tube with breaks.
    """
    tubes = [tube for tube in drawn if tube is not None]
    if not tubes:
        return None
    first, last = min(t.tube.start_frame for t in tubes), max(t.tube.end_frame for t in tubes)
    boxes, shown = (np.stack(rows) for rows in zip(*(t.on(first, last) for t in tubes), strict=True))
    kept = np.flatnonzero(2 * shown.sum(axis=0) > len(drawn))
    if not len(kept):
        return None
    middle = np.nanmedian(np.where(shown[:, kept, None], boxes[:, kept], np.nan), axis=0)
    every = np.arange(kept[0], kept[-1] + 1)
    filled = np.stack([np.interp(every, kept, middle[:, k]) for k in range(4)], axis=1)
    return Drawn(Tube(int(first + kept[0]), filled), _runs((first + kept).tolist()))


def outliers(pairs: Array) -> tuple[int, ...]:
    """Who stands apart, from ``(N, N)`` vIoU: nobody among fewer than three.

    Somebody does where the others agree among themselves (mean vIoU >= ``SAME_TUBE``) and agree with that person less
    than ``APART`` times as well. Where opinions split evenly there is no outlier.
    """
    n = len(pairs)
    if n < 3:
        return ()
    found = []
    for i in range(n):
        rest = np.delete(np.arange(n), i)
        among = pairs[np.ix_(rest, rest)]
        others = (among.sum() - (n - 1)) / ((n - 1) * (n - 2))
        if others >= SAME_TUBE and pairs[i, rest].mean() < APART * others:
            found.append(i)
    return tuple(found)


def _runs(frames: Sequence[int]) -> tuple[Interval, ...]:
    breaks = [(a, b) for a, b in pairwise(frames) if b > a + 1]
    return tuple(zip([frames[0], *(b for _, b in breaks)], [*(a for a, _ in breaks), frames[-1]], strict=True))
