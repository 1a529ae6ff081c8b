"""How many of the true objects do the proposals follow? What no proposal follows, no grounding can find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.tube import Array, Track

FOLLOWED = 0.5  # from this mean IoU on a proposal follows an object


def overlap(proposal: Track, truth: Track) -> Array:
    """``(N,)`` IoU on each of the true track's ``N`` known frames; 0 where the proposal does not exist."""
    return box_iou(proposal.at(truth.frames), truth.boxes)


def best_overlaps(proposals: Sequence[Track], truths: Sequence[Track]) -> Array:
    """``(len(truths),)``: the largest mean IoU that any single proposal reaches with each true track."""
    return np.array(
        [max((float(overlap(track, truth).mean()) for track in proposals), default=0.0) for truth in truths]
    )


def covered_frames(proposals: Sequence[Track], truth: Track) -> tuple[int, int]:
    """On how many of the true track's frames is the IoU at least 0.5: by the best single proposal, and by any?"""
    if not proposals:
        return 0, 0
    hits = np.stack([overlap(track, truth) >= FOLLOWED for track in proposals])
    return int(hits.sum(axis=1).max()), int(hits.any(axis=0).sum())


def interval_over_clips(found: Sequence[int], of: Sequence[int], *, draws: int = 10_000) -> tuple[float, float]:
    """95 % bootstrap interval of ``sum(found) / sum(of)`` when clips, not objects, are drawn: those of one clip belong
    together. The same figures give the same interval.
    """
    rows = np.random.default_rng(0).integers(0, len(of), (draws, len(of)))
    shares = np.asarray(found)[rows].sum(axis=1) / np.asarray(of)[rows].sum(axis=1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return float(low), float(high)
