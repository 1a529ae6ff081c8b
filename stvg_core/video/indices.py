"""Which frames may be asked for?"""

from __future__ import annotations

import numpy as np

from stvg_core.tube import Array


def check_indices(indices: Array, n_frames: int) -> Array:
    """Indices as ``(T,)`` int64; raises ValueError where they are no list, IndexError outside of the video."""
    wanted = np.asarray(indices, dtype=np.int64)
    if wanted.ndim != 1 or len(wanted) == 0:
        raise ValueError(f"frames are asked for by a (T,) list of at least one index, got shape {wanted.shape}")
    if wanted.min() < 0 or wanted.max() >= n_frames:
        raise IndexError(f"frames 0 to {n_frames - 1} exist, asked for {wanted.min()} to {wanted.max()}")
    return wanted
