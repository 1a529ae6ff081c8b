"""Tubes that many tests of the review need."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from backend.review.drawn_tube import Drawn
from stvg_core.tube import Tube


def moving(first: int, last: int, *, x: float = 0.1, y: float = 0.2, step: float = 0.0, size: float = 0.2) -> Tube:
    """A square box that starts at ``x, y`` and moves right by ``step`` a frame."""
    left = x + step * np.arange(last - first + 1)
    return Tube(first, np.stack([left, 0 * left + y, left + size, 0 * left + y + size], axis=1))


def shaky(seed: int, length: int, *, first: int = 0, noise: float = 0.01) -> Tube:
    """A box that wanders; ``noise`` is its jitter from frame to frame."""
    rng = np.random.default_rng(seed)
    centre = np.array([0.5, 0.5]) + np.cumsum(rng.normal(0, noise, (length, 2)), axis=0)
    half = rng.uniform(0.05, 0.2, 2)
    return Tube(first, np.concatenate([centre - half, centre + half], axis=1))


def whole(*args: int, **more: float) -> Drawn:
    return Drawn.whole(moving(*args, **more))


def cut(tube: Tube, intervals: tuple[tuple[int, int], ...]) -> Drawn:
    """A tube that is shown on some of its frames only."""
    first, last = intervals[0][0], intervals[-1][1]
    rows = tube.boxes[first - tube.start_frame : last - tube.start_frame + 1]
    return Drawn(Tube(first, rows), intervals)


@st.composite
def tubes(draw: st.DrawFn) -> Tube:
    """Wandering tubes, from still to wild, of up to 25 frames."""
    return shaky(
        draw(st.integers(0, 10_000)),
        draw(st.integers(1, 25)),
        first=draw(st.integers(0, 12)),
        noise=draw(st.sampled_from([0.0, 0.003, 0.01, 0.05])),
    )


@st.composite
def drawns(draw: st.DrawFn) -> Drawn:
    """Tubes with up to two breaks."""
    tube = draw(tubes())
    inner = range(tube.start_frame + 1, tube.end_frame)
    edges = sorted(draw(st.sets(st.sampled_from(inner), max_size=4))) if len(inner) > 4 else []
    edges = edges[: len(edges) // 2 * 2]
    frames = [tube.start_frame, *edges, tube.end_frame]
    pairs = tuple((frames[i], frames[i + 1]) for i in range(0, len(frames), 2))
    return Drawn(tube, pairs)
