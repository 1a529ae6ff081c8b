"""Rendered clips in which another object lies over the target, or under it, with every object's true mask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from stvg_core.decomposition.rules import decompose
from stvg_core.demo.clips import split_scene
from stvg_core.demo.drawing import OUTLINES
from stvg_core.demo.evaluate import scene_tracks
from stvg_core.demo.scenes import Scene, half_extent, render
from stvg_core.proposals.masks import mask_in_box
from stvg_core.query import SubQueries, as_statement
from stvg_core.tube import Array, Frames, Track
from stvg_core.video import sample_indices

FIRST = 8000
"""Numbers in the validation split that nothing was chosen on: the tie rule was, on 7000 to 7149."""
APART = (0.5, 1.1)
"""How far the centres are from each other, in mean half extents: 2 would be side by side."""


@dataclass(frozen=True)
class OverlappingClip:
    """``tracks`` are the true boxes, whole where something lies before the object, with the masks of what can be seen;
    ``target`` is one's position among them.
    """

    frames: Frames
    tracks: list[Track]
    target: int
    query: str
    parts: SubQueries


def overlapping_clips(count: int, n_frames: int, *, size: float = 1.0, first: int = FIRST) -> Iterator[OverlappingClip]:
    """Args: ``size`` makes every object larger by this factor, at most as large as the picture allows."""
    for number in range(first, first + count):
        scene = overlapping(split_scene("validation", number, n_objects=3 + number % 2), number, size)
        indices = sample_indices(scene.n_frames, n_frames)
        frames = Frames(render(scene, indices), indices, indices / float(scene.fps))
        whole = scene_tracks(scene)
        tracks = [_at(track, indices, scene) for track in whole]
        target = next(n for n, track in enumerate(whole) if track.label == str(scene.target))
        yield OverlappingClip(frames, tracks, target, as_statement(scene.query), decompose(scene.query, "phrase"))


def overlapping(scene: Scene, seed: int, size: float) -> Scene:
    """The scene with its other object of the nearest size put over the target, where that is in mid-action; which of
    them is in front stays as it was drawn.
    """
    rng = np.random.default_rng(seed)
    objects = [replace(one, half=one.half * size) for one in scene.objects]
    target = objects[scene.target]
    others = [n for n in range(len(objects)) if n != scene.target]
    moved = min(others, key=lambda n: abs(np.log(objects[n].half / target.half)))
    fps, middle = float(scene.fps), np.array([(target.start + target.end) // 2])
    x, y, half, _ = target.pose(middle, fps)[0]
    there = objects[moved].pose(middle, fps)[0]
    angle, apart = rng.uniform(0, 2 * np.pi), rng.uniform(*APART) * (half + there[2]) / 2
    wanted = np.array([x, y]) + apart * np.array([np.cos(angle), np.sin(angle)]) * half_extent(
        scene.width, scene.height
    )
    reach = there[2] * np.array(half_extent(scene.width, scene.height))
    wanted = np.clip(wanted, np.minimum(reach, 0.5), np.maximum(1 - reach, 0.5))
    centre = np.array(objects[moved].centre) + wanted - there[:2]
    objects[moved] = replace(objects[moved], centre=(float(centre[0]), float(centre[1])))
    return replace(scene, objects=tuple(objects))


def seen_pixels(scene: Scene, frame: int) -> Array:
    """``(height, width)`` int: which object a pixel shows, -1 for none."""
    shown = np.full((scene.height, scene.width), -1, np.int32)
    scale, extent = np.array([scene.width, scene.height]), np.array(half_extent(scene.width, scene.height))
    for number, (x, y, half, _) in enumerate(scene.poses(np.array([frame]))[:, 0]):
        outlines = OUTLINES[scene.objects[number].shape]
        corners = [(np.array([x, y]) + path * half * extent) * scale - 0.5 for path in outlines]
        cv2.fillPoly(shown, [np.round(one * 16).astype(np.int32) for one in corners], number, cv2.LINE_8, 4)
    return shown


def _at(track: Track, frames: Array, scene: Scene) -> Track:
    """The part of a true track at some frames, with the masks of what can be seen there."""
    boxes = track.at(frames)
    there = np.isfinite(boxes).all(axis=1)
    masks = [
        mask_in_box(seen_pixels(scene, int(frame)) == int(track.label), box)
        for frame, box in zip(frames[there], boxes[there], strict=True)
    ]
    return replace(track, frames=frames[there], boxes=boxes[there], masks=np.stack(masks))
