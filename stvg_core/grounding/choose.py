"""Which track is it? (paper, stage 7, and what real proposals need beside it)"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array, Evidence

_SAME_OBJECT = 0.5
_ROUNDING = 1e-3  # of stored numbers


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


def decided_by(evidence: Evidence) -> tuple[Array, float] | None:
    """:func:`preference` of stored tracks, ``(P,)``, of which the chosen one has the highest; and the weight in it.

    None where the evidence does not hold what it takes: the proposer's confidences, or the weight that they had. Old
    evidence holds the proposer's usual weight only; where another was set, its highest is not the chosen one.
    """
    if evidence.looked is None or evidence.chosen < 0:
        return None
    weight = evidence.info.get("choice_weight", evidence.info.get("proposer_weight"))
    if weight is None:
        return None
    scores = np.asarray(evidence.track_scores, dtype=np.float64)
    found = preference(scores, evidence.looked.proposer_scores, float(weight))
    return (found, float(weight)) if found[evidence.chosen] >= found.max() * (1 - _ROUNDING) else None
