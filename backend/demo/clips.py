"""The demo's clips. Which scenes are rendered, and what would a perfect annotator find in them?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stvg_core.demo.clips import split_scene, write_clip
from stvg_core.demo.scenes import Scene
from stvg_core.tube import Array, Tube

# The rates at which frame numbers go wrong most easily: below and above Label Studio's default of 24, and not whole.
FRAME_RATES = (Fraction(10), Fraction(25), Fraction(30000, 1001))
MAX_SECONDS = 8.0
_SCENES_TO_TRY = 10_000


@dataclass(frozen=True)
class DemoClip:
    """A clip with its sentence. Of a rendered one the true tube is known by construction, of others it is not."""

    path: Path
    query: str
    fps: float
    n_frames: int
    truth: Tube | None = None


def render_clips(folder: Path, count: int) -> list[DemoClip]:
    """``count`` H.264 clips in ``folder``, each frame rate equally often; the same count gives the same clips.

    A clip is named after its scene and rendered once: a folder that is used again may hold labels of it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for number, scene in choose_scenes(count).items():
        path = folder / f"clip-{number}.mp4"
        if not path.exists():
            # Renamed when it is whole: a rendering that was interrupted must not be taken for the clip.
            write_clip(folder / f"unfinished-{number}.mp4", scene).rename(path)
            (folder / f"unfinished-{number}.json").rename(path.with_suffix(".json"))
        clips.append(_clip(path, scene))
    return clips


def choose_scenes(count: int) -> dict[int, Scene]:
    """The first scenes, by number, of the demo's seeds that have one of ``FRAME_RATES``, each rate equally often."""
    wanted = Counter(FRAME_RATES[k % len(FRAME_RATES)] for k in range(count))
    chosen: dict[int, Scene] = {}
    for number in range(_SCENES_TO_TRY):
        if not wanted.total():
            return chosen
        scene = split_scene("demo", number, difficulty="easy", max_seconds=MAX_SECONDS)
        if wanted[scene.fps] > 0 and not np.isnan(_truth_boxes(scene)).any():
            wanted[scene.fps] -= 1
            chosen[number] = scene
    raise AssertionError(f"the scenes have none of the rates {FRAME_RATES}")


def _truth_boxes(scene: Scene) -> Array:
    start, end = scene.truth
    return scene.boxes(scene.target, np.arange(start, end + 1))


def _clip(path: Path, scene: Scene) -> DemoClip:
    truth = Tube(scene.truth[0], _truth_boxes(scene))
    return DemoClip(path, scene.query, float(scene.fps), scene.n_frames, truth)
