"""How many pictures a second, and are they evenly spaced?"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from stvg_core.video.timeline import Timeline

_ASSUMED_FPS = Fraction(25)


def frame_rate(timeline: Timeline, claimed: Sequence[Fraction | None]) -> tuple[Fraction, bool, list[str]]:
    """The rate, whether the pictures are evenly spaced at it, and sentences for a person.

    A header's claim counts only if every timestamp agrees with it (within the rounding of the file's clock); otherwise
    the average over the timestamps does.
    """
    n = len(timeline.pts)
    usable = credible(claimed)
    if not tells_rate(timeline):
        if usable:
            return usable[0], True, []
        if timeline.last_s > 0:
            return Fraction(1 / timeline.last_s).limit_denominator(1001), True, []
        return _ASSUMED_FPS, True, [f"The file does not say its frame rate; {_ASSUMED_FPS} per second is assumed."]
    average = Fraction((n - 1) / float(timeline.seconds_of(np.array([n - 1]))[0])).limit_denominator(1001)
    ntsc = Fraction(round(average) * 1000, 1001)
    for rate in [*usable, Fraction(round(average)), ntsc, average]:
        # Clock rounding is at most one tick either way; half a frame would be another frame.
        slack = min(1.01 * timeline.tick_s + 1e-6, 0.45 / float(rate)) if rate > 0 else 0.0
        if rate > 0 and _agrees(timeline, float(rate), slack):
            return rate, True, []
    return max(average, Fraction(1, 1001)), False, []


def _agrees(timeline: Timeline, rate: float, slack: float) -> bool:
    """Is every timestamp where it is at an even rate, give or take ``slack`` seconds?"""
    for first, seconds in timeline.blocks_of_seconds():
        if np.abs(seconds - np.arange(first, first + len(seconds)) / rate).max() > slack:
            return False
    return True


def credible(claimed: Sequence[Fraction | None]) -> list[Fraction]:
    """The claims of a header that can be true: many say 0, nothing, or the ticks of their clock."""
    return [Fraction(rate) for rate in claimed if rate and 0 < rate <= 1000]


def tells_rate(timeline: Timeline) -> bool:
    """Do the timestamps tell how fast the pictures follow each other? Not where there is one, or none has a time."""
    return not timeline.ordinal and len(timeline.pts) > 1
