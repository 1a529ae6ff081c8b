"""Evidence as it is stored beside a prediction: a few tens of KB where the model looked closely, else little."""

from __future__ import annotations

import numpy as np

from stvg_core.method.evidence import Evidence


def evidence(slots: int, side: int, tracks: int) -> bytes:
    """Random scores over ``slots`` sampled frames and ``side x side`` cells; random numbers do not compress."""
    rng = np.random.default_rng(0)
    maps = rng.random((2, slots, side, side)).astype(np.float16)
    scores = rng.random(tracks)
    return Evidence(
        slot_frames=np.arange(slots) * 7,
        track_boxes=np.sort(rng.random((tracks, slots, 4)).astype(np.float32), axis=-1),
        track_scores=scores,
        track_scores_forward=scores,
        track_scores_reversed=scores,
        frame_scores=rng.random((tracks, slots)),
        spatial_map=maps[0],
        temporal_map=maps[1],
        chosen=0,
    ).to_bytes()


SMALL, LARGE = evidence(10, 4, 2), evidence(20, 24, 4)
