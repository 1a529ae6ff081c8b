"""Which track is it? Scores of tracks from a map, and what the choice goes by (paper, stage 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from stvg_core.boxes import box_iou
from stvg_core.method.evidence import Evidence
from stvg_core.tube import REGIONS, Array, Track

View = Callable[[Array], Array]
"""Normalised boxes of the frame -> of what the model sees of it (:meth:`stvg_core.mllm.session.Session.view`)."""

_SAME_OBJECT = 0.5
_ROUNDING = 1e-3  # of stored numbers
_TIED = 1e-6  # of the highest: a cell that two tracks cover in full gives both the same number, to the last bit


def cell_coverage(boxes: Array, h: int, w: int, *, rule: str = "fraction") -> Array:
    """How much of each token cell does a box cover? (B2M of the paper)

    Args:
        boxes: ``(..., 4)`` normalised xyxy in the model's view; NaN rows cover nothing.
        rule: "fraction" is the exact share of the cell's area, "peak" that share divided by the box's largest one, see
            :class:`stvg_core.settings.JoinedSettings`.

    Returns:
        ``(..., h, w)`` float64 in [0, 1]. The cell under a box's centre counts in full, so that even the smallest
        object is seen (shrinking masks to the grid makes small objects vanish).

    Raises:
        ValueError: another rule.
    """
    if rule not in ("fraction", "peak"):
        raise ValueError(f"boxes cover cells by fraction or peak, not by {rule}")
    boxes = np.asarray(boxes, dtype=np.float64)
    present: Array = np.asarray(np.isfinite(boxes).all(axis=-1))
    clean = np.where(present[..., None], np.clip(boxes, 0.0, 1.0), 0.0)
    across = _shares(clean[..., 0], clean[..., 2], w)
    down = _shares(clean[..., 1], clean[..., 3], h)
    coverage: Array = down[..., :, None] * across[..., None, :]
    if rule == "peak":
        largest = coverage.max(axis=(-2, -1), keepdims=True)
        coverage = np.divide(coverage, largest, out=np.zeros_like(coverage), where=largest > 0)
    column = np.minimum(((clean[..., 0] + clean[..., 2]) / 2 * w).astype(int), w - 1)
    row = np.minimum(((clean[..., 1] + clean[..., 3]) / 2 * h).astype(int), h - 1)
    centre = (np.arange(h)[:, None] == row[..., None, None]) & (np.arange(w)[None, :] == column[..., None, None])
    coverage = np.where(centre, 1.0, coverage)
    kept: Array = np.where(present[..., None, None], coverage, 0.0)
    return kept


def mask_shares(tracks: Sequence[Track], frames: Array, view: View, h: int, w: int) -> Array:
    """How much of each token cell does a track's mask cover?

    Args:
        frames: ``(T,)``.

    Returns:
        ``(P, T, h, w)`` float16 in [0, 1], NaN where a track has no mask; ``(0, 0, 0, 0)`` where none has any.
    """
    if all(track.masks is None for track in tracks):
        return np.empty((0, 0, 0, 0), np.float16)
    return np.stack([_mask_shares(track, frames, view, h, w) for track in tracks])


def _mask_shares(track: Track, frames: Array, view: View, h: int, w: int) -> Array:
    masks = track.masks_at(frames)
    if masks is None:
        return np.full((len(frames), h, w), np.nan, np.float16)
    parts = np.clip(view(_parts(track.at(frames), *masks.shape[1:])), 0.0, 1.0)
    there = np.isfinite(parts).all(axis=-1)
    x1, y1, x2, y2 = (np.where(there, parts[..., corner], 0.0) for corner in range(4))
    weights = (masks / 255.0)[..., None] * _shares(y1, y2, h)  # (T, m, m, h)
    flat = (len(frames), -1)
    covered = np.swapaxes(weights.reshape(*flat, h), 1, 2) @ _shares(x1, x2, w).reshape(*flat, w)
    has_mask = np.asarray(masks.any(axis=(1, 2)))
    known: Array = np.where(has_mask[:, None, None], covered.clip(0.0, 1.0), np.nan)
    return known.astype(np.float16)


def _parts(boxes: Array, rows: int, columns: int) -> Array:
    """``(T, 4)`` boxes -> the boxes of their equal parts, ``(T, rows, columns, 4)``."""
    x1, y1, x2, y2 = (np.asarray(boxes, np.float64)[:, corner, None] for corner in range(4))
    across, down = (x1 + (x2 - x1) * np.arange(columns + 1) / columns), (y1 + (y2 - y1) * np.arange(rows + 1) / rows)
    shape = (len(boxes), rows, columns)
    sides = (across[:, None, :-1], down[:, :-1, None], across[:, None, 1:], down[:, 1:, None])
    return np.stack([np.broadcast_to(side, shape) for side in sides], axis=-1)


def covered_cells(seen: Array, masks: Array, h: int, w: int, rule: str) -> Array:
    """How much of each token cell does a track cover, by ``coverage`` of the settings?

    Args:
        seen: ``(P, T, 4)`` boxes in the model's view.
        masks: ``(P, T, h, w)`` of :func:`mask_shares`, or empty.

    Returns:
        ``(P, T, h, w)`` float64 in [0, 1]. By "mask", the cell with a mask's largest share counts in full, as the one
        under a box's centre does; and a box counts by its area where its track has no mask.
    """
    if rule != "mask":
        return cell_coverage(seen, h, w, rule=rule)
    boxes = cell_coverage(seen, h, w)
    if masks.size == 0:
        return boxes
    largest = masks.max(axis=(-2, -1), keepdims=True)  # NaN stays NaN
    full = (masks == largest) & (largest > 0)
    return np.where(np.isnan(masks), boxes, np.where(full, 1.0, masks.astype(np.float64)))


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


def excess(attention: Array, coverage: Array) -> Array:
    """How much more of the attention lies in a track than in an equal area on average, ``(P,)`` in [-1, 1].

    The share of the whole map that lies in the track, over all slots, without the share of the cells that it covers: a
    larger box is no better by its size alone.

    Args:
        attention: ``(T, h, w)``.
        coverage: ``(P, T, h, w)``.
    """
    inside: Array = (attention[None] * coverage).sum(axis=(1, 2, 3)) / max(float(attention.sum()), 1e-30)
    area: Array = coverage.sum(axis=(1, 2, 3)) / attention.size
    return inside - area


def tied(preferred: Array) -> Array:
    """Which tracks share the highest :func:`preference`, ``(P,)`` bool: two that overlap, and the brightest cell is
    in both.
    """
    highest = float(preferred.max())
    return np.asarray(preferred >= highest - _TIED * abs(highest))


def best_track(preferred: Array, evidence: Evidence, ties: str) -> int:
    """The track with the highest ``(P,)`` preference.

    Args:
        ties: of several with the same, "first" takes the first. "excess" takes the one with the highest :func:`excess`;
            if that is the same, too, the one that the proposer is surest of, and of equals the one whose boxes come
            first in the order of numbers. The order in which they were proposed then decides nothing.
    """
    if ties == "first":
        return int(preferred.argmax())
    left = np.flatnonzero(tied(preferred))
    for values in (evidence.excess, evidence.proposer_scores):
        if len(values):
            left = left[values[left] >= values[left].max() - _TIED]
    places = [evidence.track_boxes, evidence.ends, evidence.end_boxes]
    numbers = np.concatenate(
        [np.nan_to_num(one[left].reshape(len(left), -1), nan=-1.0) for one in places if len(one)], axis=1
    )
    return int(left[np.lexsort(numbers.T[::-1])[0]])


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


_MOVES = 0.25  # of a track's size


def none_worth_choosing(tracks: Sequence[Track], boxes: Array) -> bool:
    """Are all candidates even-coloured regions that stay where they are, as houses and windows in a street?

    Args:
        boxes: ``(P, T, 4)`` of the tracks at the slots, NaN where one is absent.
    """
    if not tracks or any(track.source != REGIONS for track in tracks):
        return False
    for own in boxes:
        there = own[np.isfinite(own).all(axis=1)].astype(np.float64)
        if len(there) < 2:
            continue
        size = np.sqrt((there[:, 2:] - there[:, :2]).clip(1e-6).prod(axis=1))
        # Without the outermost tenths: a box that is wrong once does not move. Both edges of an axis must: a region
        # that now and then takes in a patch beside it stays where it is.
        low, high = np.quantile(there, (0.1, 0.9), axis=0)
        left, top, right, bottom = high - low
        if max(min(left, right), min(top, bottom)) > _MOVES * np.median(size):
            return False
    return True
