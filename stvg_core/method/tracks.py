"""Which track is it? Scores of tracks from a map, and what the choice goes by (paper, stage 7)."""

from __future__ import annotations

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.method.evidence import Evidence
from stvg_core.tube import Array

_SAME_OBJECT = 0.5
_ROUNDING = 1e-3  # of stored numbers


def cell_coverage(boxes: Array, h: int, w: int, *, rule: str = "fraction") -> Array:
    """How much of each token cell does a box cover? (B2M of the paper)

    Args:
        boxes: ``(..., 4)`` normalised xyxy in the model's view; NaN rows cover nothing.
        rule: "fraction" is the exact share of the cell's area, "peak" that share divided by the box's largest one, see
            :class:`stvg_core.settings.JoinedSettings`.

    Returns:
        ``(..., h, w)`` float64 in [0, 1]. The cell under a box's centre counts in full, so that even the smallest
        object is seen (shrinking masks to the grid makes small objects vanish).
    """
    boxes = np.asarray(boxes, dtype=np.float64)
    present: Array = np.asarray(np.isfinite(boxes).all(axis=-1))
    clean = np.where(present[..., None], np.clip(boxes, 0.0, 1.0), 0.0)
    across = _shares(clean[..., 0], clean[..., 2], w)
    down = _shares(clean[..., 1], clean[..., 3], h)
    coverage: Array = down[..., :, None] * across[..., None, :]
    column = np.minimum(((clean[..., 0] + clean[..., 2]) / 2 * w).astype(int), w - 1)
    row = np.minimum(((clean[..., 1] + clean[..., 3]) / 2 * h).astype(int), h - 1)
    centre = (np.arange(h)[:, None] == row[..., None, None]) & (np.arange(w)[None, :] == column[..., None, None])
    coverage = np.where(centre, 1.0, coverage)
    kept: Array = np.where(present[..., None, None], coverage, 0.0)
    if rule == "peak":
        largest = kept.max(axis=(-2, -1), keepdims=True)
        kept = np.divide(kept, largest, out=np.zeros_like(kept), where=largest > 0)
    return kept


def _shares(low: Array, high: Array, cells: int) -> Array:
    """How much of each of ``cells`` equal cells of [0, 1] lies in ``[low, high]``: shares of one, ``(..., cells)``."""
    edges = np.arange(cells + 1) / cells
    inside = np.minimum(high[..., None], edges[1:]) - np.maximum(low[..., None], edges[:-1])
    shares: Array = np.clip(inside * cells, 0.0, 1.0)
    return shares


def slot_scores(attention: Array, coverage: Array) -> Array:
    """S of every track in every slot: the largest attention inside it.

    Args:
        attention: ``(T, h, w)``.
        coverage: ``(P, T, h, w)``.

    Returns:
        ``(P, T)``; 0 where a track is absent. S_obj is its maximum over T, S_frame its row for the chosen track.
    """
    scores: Array = (attention[None] * coverage).max(axis=(2, 3))
    return scores


def preference(totals: Array, proposer_scores: Array, weight: float) -> Array:
    """What the choice of the track goes by, ``(P,)``: S_obj times the proposer's confidence to the power ``weight``."""
    weighted: Array = totals * np.asarray(proposer_scores, dtype=np.float64) ** weight
    return weighted


def same_object(boxes: Array, chosen: int) -> Array:
    """Which tracks are the chosen one again, or a part of it, or hold it as a part?

    Args:
        boxes: ``(P, T, 4)`` normalised xyxy, NaN where a track is absent.

    Returns:
        ``(P,)`` bool: the intersection takes at least half of the smaller box, on average over the slots in which both
        are there. The chosen track itself is among them.
    """
    there: Array = np.asarray(np.isfinite(boxes).all(axis=-1))
    both = there & there[chosen]
    shares = np.where(both, box_iou(boxes, boxes[chosen], over="smaller"), 0.0)
    same: Array = shares.sum(axis=1) / np.maximum(both.sum(axis=1), 1) >= _SAME_OBJECT
    same[chosen] = True
    return same


def decided_by(evidence: Evidence) -> tuple[Array, float] | None:
    """:func:`preference` of stored tracks, ``(P,)``, of which the chosen one has the highest; and the weight in it.

    None where the evidence does not hold what it takes: the proposer's confidences, or the weight that they had. Old
    evidence holds the proposer's usual weight only; where another was set, its highest is not the chosen one.
    """
    if evidence.chosen < 0 or len(evidence.proposer_scores) == 0:
        return None
    weight = evidence.info.get("choice_weight", evidence.info.get("proposer_weight"))
    if weight is None:
        return None
    scores = np.asarray(evidence.track_scores, dtype=np.float64)
    found = preference(scores, evidence.proposer_scores, float(weight))
    return (found, float(weight)) if found[evidence.chosen] >= found.max() * (1 - _ROUNDING) else None
