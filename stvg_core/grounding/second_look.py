"""A denser second look at the part of the video around the interval (paper, stage 9: from sampled frames to frames)."""

from __future__ import annotations

MARGIN = 0.5
"""Of the interval's length, on both sides: room for ends that were set too early or too late."""
MIN_SLOTS = 3
"""Margin in sampled frames of the first look, at least: an end can be off by about one of them."""
WORTH_IT = 0.8
"""A window that is longer than this share of the video shows nothing new."""


def window(start: int, end: int, spacing: float, n_frames: int) -> tuple[int, int] | None:
    """The frames worth a second look, both included, or None where the first look was as dense.

    Args:
        start, end: the interval's frames, both included.
        spacing: mean distance of the first look's slots in frames.
    """
    margin = round(max(MARGIN * (end - start + 1), MIN_SLOTS * spacing))
    first, last = max(0, start - margin), min(n_frames - 1, end + margin)
    if spacing <= 1 or last - first + 1 > WORTH_IT * n_frames:
        return None
    return first, last
