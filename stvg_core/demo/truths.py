"""What is true of a rendered scene, as tracks and tubes. Torch-free."""

from __future__ import annotations

import numpy as np

from stvg_core.demo.scenes import Scene
from stvg_core.tube import Track, Tube


def scene_tracks(scene: Scene) -> list[Track]:
    """Every object's true track (oracle proposals); frames in which an object is unseen are bridged."""
    tracks = []
    for index in range(len(scene.objects)):
        boxes = scene.boxes(index)
        seen = np.flatnonzero(np.isfinite(boxes).all(axis=1))
        if len(seen):
            tracks.append(Track(seen, boxes[seen], source="oracle", label=str(index)))
    return tracks


def scene_truth(scene: Scene) -> Tube:
    """The target's true tube."""
    start, end = scene.truth
    return Tube(start, target_track(scene).at(np.arange(start, end + 1)))


def target_track(scene: Scene) -> Track:
    """The true track of the object that the query is about."""
    return next(track for track in scene_tracks(scene) if track.label == str(scene.target))
