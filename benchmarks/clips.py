"""Validation clips as the model sees them: sampled frames, true tracks, a sentence and its parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stvg_core.decomposition.rules import decompose
from stvg_core.demo.clips import split_scene
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import render
from stvg_core.query import SubQueries, as_statement
from stvg_core.tube import Array, Frames
from stvg_core.video import sample_indices

FIRST = 5000
"""Numbers in the validation split that no figure of the model card was made on."""


@dataclass(frozen=True)
class Clip:
    """``boxes (P, T, 4)`` are the true tracks at the sampled frames; ``parts`` as the embedded model wants them."""

    frames: Frames
    boxes: Array
    query: str
    parts: SubQueries


def validation_clips(count: int, n_frames: int, *, warm_up: bool) -> Iterator[Clip]:
    """``count`` clips, and with ``warm_up`` one more before them."""
    for number in range(-int(warm_up), count):
        scene = split_scene("validation", FIRST + number)
        indices = sample_indices(scene.n_frames, n_frames)
        frames = Frames(render(scene, indices), indices, indices / float(scene.fps))
        boxes = np.stack([track.at(indices) for track in scene_tracks(scene)])
        yield Clip(frames, boxes, as_statement(scene.query), decompose(scene.query, "phrase"))
