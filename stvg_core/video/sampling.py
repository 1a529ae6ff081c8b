"""Which frames stand for a whole video?"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array


def sample_indices(n_frames: int, count: int) -> Array:
    """Centres of ``count`` equal segments of a video, ``(count,)`` int64, never decreasing.

    Frames repeat where ``n_frames < count``; every index lies in ``[0, n_frames)``.
    """
    if n_frames < 1 or count < 1:
        raise ValueError(f"sampling needs at least one frame and one sample, got {n_frames} and {count}")
    # Integer arithmetic: the centre of segment i is (2i + 1) * n / (2 * count), exact for videos of any length.
    return (2 * np.arange(count, dtype=np.int64) + 1) * n_frames // (2 * count)
