"""How sure is a gain? Folds and confidence intervals by video."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stvg_core.tube import Array

FOLDS = 5
FEW_VIDEOS = 10
"""With fewer, each video is a fold of its own."""
DRAWS = 10_000
_SEED = 20


def folds(videos: Sequence[str]) -> list[Array]:
    """Indices of the held-out items of each fold. A video's items are all in one, and folds are about equally large."""
    names, of_item = np.unique(np.array(videos), return_inverse=True)
    sizes = np.bincount(of_item)
    count = len(names) if len(names) < FEW_VIDEOS else FOLDS
    shuffled = np.random.default_rng(_SEED).permutation(len(names))
    held: list[list[int]] = [[] for _ in range(count)]
    filled = np.zeros(count)
    for video in sorted(shuffled, key=lambda video: -sizes[video]):  # the largest first, each to the emptiest fold
        fold = int(filled.argmin())
        held[fold].append(int(video))
        filled[fold] += sizes[video]
    return [np.flatnonzero(np.isin(of_item, some)) for some in held]


def gain_interval(before: Array, after: Array, videos: Sequence[str]) -> tuple[float, float]:
    """95 % bootstrap interval of the mean of ``after - before`` ``(N,)``; whole videos are drawn, pairs stay pairs."""
    _, of_item = np.unique(np.array(videos), return_inverse=True)
    sums, sizes = np.bincount(of_item, weights=after - before), np.bincount(of_item)
    random = np.random.default_rng(_SEED)
    means = np.empty(DRAWS)
    for some in np.array_split(np.arange(DRAWS), 10):
        drawn = random.integers(0, len(sums), size=(len(some), len(sums)))
        means[some] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
