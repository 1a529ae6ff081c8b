"""From when to when? Scores of slots become an interval of frames (paper, stage 9, and a default for any length)."""

from __future__ import annotations

import numpy as np

from stvg_core.settings import GroundingSettings
from stvg_core.tube import Array, Track, Tube

MARGIN = 0.5
"""Of the interval's length, on both sides of a second look: room for ends that were set too early or too late."""
MIN_SLOTS = 3
"""The margin in sampled frames of the first look, at least: an end can be off by about one of them."""
REACH = 2.0
"""How many slots of the first look an end is moved at most (docs/proposals.md has what others give)."""
WORTH_IT = 0.8
"""A window that is longer than this share of the video shows nothing new."""


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


def share_of(top_k: int, n_slots: int, seen: int) -> int:
    """K where only ``seen`` of ``n_slots`` slots were looked at (short memory, a short video): the same share of them.

    Halves are rounded up, and at least one slot is left.
    """
    return top_k if seen >= n_slots else max(1, int(top_k * seen / n_slots + 0.5))


def interval(scores: Array, settings: GroundingSettings, through: int | None = None) -> tuple[int, int]:
    """First and last slot by the rule of ``settings.interval``, both included; ``through`` is a slot between them."""
    if settings.interval == "top_k":
        return top_k_span(scores, share_of(settings.top_k, settings.n_slots, len(scores)), through)
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


def window(start: int, end: int, spacing: float, lowest: int, highest: int) -> tuple[int, int] | None:
    """The frames worth a second, denser look, both included, or None where the first look was as dense.

    Args:
        start, end: the interval's frames, both included.
        spacing: mean distance of the first look's slots in frames.
        lowest, highest: the frames that there are, both included.
    """
    margin = round(max(MARGIN * (end - start + 1), MIN_SLOTS * spacing))
    first, last = max(lowest, start - margin), min(highest, end + margin)
    if spacing <= 1 or last - first + 1 > WORTH_IT * (highest - lowest + 1):
        return None
    return first, last


def ends(
    scores: Array, slots: Array, within: tuple[int, int], settings: GroundingSettings, through: int | None = None
) -> tuple[int, int]:
    """The interval's first and last frame, by the second look.

    Args:
        scores: ``(T,)`` frame scores of the chosen track.
        slots: ``(T,)`` the frames that stand for the slots.
        within: the frames between which the slots were sampled, both included.
        through: a frame that the interval must hold.
    """
    slot = None if through is None else slot_of(slots, through)
    return slot_span_to_frames(slots, *interval(scores, settings, slot), *within)


def snapped(
    span: tuple[int, int], acts: Array | None, spacing: float, through: int | None = None
) -> tuple[int, int]:  # fmt: skip
    """Each end on the nearest clear change of what the chosen track itself does, where one is near enough.

    The model's ends lie on a grid of slots; the track says on which frame its object begins to move, to grow, to blink,
    and when it rests again. An end without such a change within ``REACH`` slots stays.

    Args:
        span: the interval's first and last frame, both included.
        acts: ``(R, 2)`` of the track (:class:`stvg_core.tube.Track`); None where it does not say.
        spacing: mean distance of the first look's slots in frames.
        through: a frame that the interval must hold.
    """
    if acts is None:
        return span
    ends_ = []
    for end, changes in zip(span, acts.T, strict=True):
        near = changes[(changes >= 0) & (np.abs(changes - end) <= REACH * spacing)]
        ends_.append(int(near[np.abs(near - end).argmin()]) if len(near) else end)
    start, end = ends_
    if start > end or not (through is None or start <= through <= end):
        return span
    return start, end


def cut(track: Track, start: int, end: int) -> Tube:
    """The part of a track between two frames, both included, as far as the track exists.

    A track that lies wholly outside the interval gives its frame nearest to it: an answer has at least one box.
    """
    start, end = max(start, int(track.frames[0])), min(end, int(track.frames[-1]))
    if start > end:
        start = end = int(np.clip(start, track.frames[0], track.frames[-1]))
    return Tube(start, track.at(np.arange(start, end + 1)))


def score_of(best: float, rivals: Array, frame_scores: Array, first: int, last: int) -> float:
    """How clear the answer is, in [0, 1]: not calibrated, good for ordering.

    The geometric mean of two margins: how far the chosen track stands above the best track of any other object, and how
    far the scores inside the interval stand above those outside (1 where there is no rival, or nothing outside).

    Args:
        best: what the chosen track was chosen by (see :func:`stvg_core.method.tracks.preference`).
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
