"""Tracks that remember on which frames a detector really saw the object, and how sure it was there."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from stvg_core.tube import Array, Track


@dataclass(frozen=True)
class SightedTrack(Track):
    """A sparse track; its other boxes are bridged or held.

    Attributes:
        sighted: ``(M,)`` int64, strictly increasing frames on which the detector saw the object.
        confidence: ``(M,)`` float32 in [0, 1], the detector's score on each of them.
    """

    sighted: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    confidence: Array = field(default_factory=lambda: np.zeros(0, np.float32))

    def __post_init__(self) -> None:
        super().__post_init__()
        sighted = np.asarray(self.sighted, dtype=np.int64)
        confidence = np.asarray(self.confidence, dtype=np.float32)
        if sighted.ndim != 1 or confidence.shape != sighted.shape:
            raise ValueError(f"one confidence per sighting, got {sighted.shape} and {confidence.shape}")
        object.__setattr__(self, "sighted", sighted)
        object.__setattr__(self, "confidence", confidence)


def sightings(track: Track) -> tuple[Array, Array]:
    """``(M,)`` frames and ``(M,)`` scores that a tracker may be seeded with; any other track counts as seen
    throughout.
    """
    if isinstance(track, SightedTrack) and len(track.sighted):
        return track.sighted, track.confidence
    return track.frames, np.full(len(track.frames), track.score, np.float32)
