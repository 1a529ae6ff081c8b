"""Which track is it? (paper, stage 7, and what real proposals need beside it)"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array

_SAME_OBJECT = 0.5


def same_object(boxes: Array, chosen: int) -> Array:
    """Which tracks are the chosen one again, or a part of it, or hold it as a part?

    Args:
        boxes: ``(P, T, 4)`` normalised xyxy, NaN where a track is absent.

    Returns:
        ``(P,)`` bool: the intersection takes at least half of the smaller box, on average over the slots in which both
        are there. The chosen track itself is among them.
    """
    own = boxes[chosen]
    inner = np.clip(np.minimum(boxes[..., 2:], own[:, 2:]) - np.maximum(boxes[..., :2], own[:, :2]), 0, None).prod(-1)
    areas = (boxes[..., 2:] - boxes[..., :2]).prod(-1)
    share = inner / np.maximum(np.minimum(areas, areas[chosen]), 1e-12)  # NaN where either is absent
    both = np.isfinite(share)
    mean = np.where(both, share, 0.0).sum(axis=1) / np.maximum(both.sum(axis=1), 1)
    same: Array = mean >= _SAME_OBJECT
    same[chosen] = True
    return same


def preference(totals: Array, proposer_scores: Array, weight: float) -> Array:
    """What the choice of the track goes by, ``(P,)``: S_obj times the proposer's confidence to the power ``weight``."""
    weighted: Array = totals * np.asarray(proposer_scores, dtype=np.float64) ** weight
    return weighted
