"""From frame scores to an interval (paper, stage 9, and a default that holds for videos of any length)."""

from __future__ import annotations

import numpy as np

from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array


def maximum_sum_segment(scores: Array, centre: float, through: int | None = None) -> tuple[int, int]:
    """The contiguous interval that best separates inside from outside scores.

    Args:
        scores: ``(T,)`` finite.
        centre: scores are centred at this share of the way from their minimum to their maximum; what lies above pays,
            what lies below costs.
        through: a slot that the interval must hold.

    Returns:
        First and last slot, both included. Equal scores give the whole range: nothing speaks for a shorter one.
    """
    low, high = float(scores.min()), float(scores.max())
    if high <= low:
        return 0, len(scores) - 1
    gains = scores - (low + centre * (high - low))
    sums = np.concatenate([[0.0], np.cumsum(gains)])
    totals = sums[None, 1:] - sums[:-1, None]  # [first, last]
    totals[np.tril_indices(len(scores), k=-1)] = -np.inf
    if through is not None:
        totals[through + 1 :] = -np.inf
        totals[:, :through] = -np.inf
    first, last = np.unravel_index(int(totals.argmax()), totals.shape)
    return int(first), int(last)


def top_k_span(scores: Array, k: int, through: int | None = None) -> tuple[int, int]:
    """The paper's rule: from the first to the last of the k best slots (k = 7 of 20 is a prior of 20-second clips);
    a slot that the interval must hold (``through``) counts as the best.
    """
    best = np.argsort(-scores, kind="stable")
    if through is not None:
        best = np.append(through, best[best != through])
    best = best[:k]
    return int(best.min()), int(best.max())


def interval(scores: Array, settings: GroundingSettings, through: int | None = None) -> tuple[int, int]:
    """First and last slot by the rule of ``settings.interval``, both included; ``through`` is a slot between them."""
    if settings.interval == "top_k":
        return top_k_span(scores, settings.top_k, through)
    return maximum_sum_segment(scores, settings.centre, through)


def slot_of(slot_frames: Array, frame: int) -> int:
    """The slot that stands for a frame (the inverse of :func:`slot_span_to_frames`)."""
    last_frames = (slot_frames[:-1] + slot_frames[1:]) // 2
    return int(np.searchsorted(last_frames, frame))


def slot_span_to_frames(slot_frames: Array, first: int, last: int, lowest: int, highest: int) -> tuple[int, int]:
    """Frames from the middle between the slots at each border, 0-based inclusive.

    A slot stands for the frames nearest to it; the first and the last slot reach to the ends of what the slots were
    sampled from, the frames ``lowest`` to ``highest``.
    """
    start = lowest if first == 0 else (int(slot_frames[first - 1]) + int(slot_frames[first])) // 2 + 1
    end = highest if last == len(slot_frames) - 1 else (int(slot_frames[last]) + int(slot_frames[last + 1])) // 2
    return start, max(start, end)


def score_of(best: float, rivals: Array, frame_scores: Array, first: int, last: int) -> float:
    """How clear the answer is, in [0, 1]: not calibrated, good for ordering.

    The geometric mean of two margins: how far the chosen track stands above the best track of any other object, and how
    far the scores inside the interval stand above those outside (1 where there is no rival, or nothing outside).

    Args:
        best: what the chosen track was chosen by (see :func:`stvg_core.grounding.choose.preference`).
        rivals: ``(R,)`` the same of the other objects' tracks.
        frame_scores: ``(T,)`` of the chosen track.
        first, last: the interval's slots, both included.
    """
    spatial = 1.0 if len(rivals) == 0 else 1.0 - float(rivals.max()) / max(best, 1e-12)
    inside = float(frame_scores[first : last + 1].mean())
    outside_scores = np.concatenate([frame_scores[:first], frame_scores[last + 1 :]])
    outside = 0.0 if len(outside_scores) == 0 else float(outside_scores.mean())
    temporal = (inside - outside) / max(inside + outside, 1e-12)
    return float(np.sqrt(np.clip(spatial, 0.0, 1.0) * np.clip(temporal, 0.0, 1.0)))
