"""Synthetic clips as files: an H.264 mp4 that plays in browsers, and its truth beside it as JSON.

Scene number i of a split is drawn from the seed ``SPLIT_SEEDS[split] + i``; the ranges do not meet, so
nothing that the embedded model was trained on, or tuned on, turns up in the test split.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.demo.scenes import Difficulty, Scene, render, sample_scene
from stvg_core.video.h264 import h264_file

SPLIT_SEEDS = {"train": 0, "validation": 1_000_000_000, "test": 2_000_000_000, "demo": 3_000_000_000}
RENDER_BATCH = 64  # frames held in memory at once while encoding


def split_scene(split: str, number: int, *, difficulty: Difficulty = "medium", **choices: Any) -> Scene:
    """Scene ``number`` of a split; ``choices`` go to :func:`sample_scene`."""
    rng = np.random.default_rng(SPLIT_SEEDS[split] + number)
    return sample_scene(rng, difficulty=difficulty, **choices)


def write_clip(path: str | Path, scene: Scene, *, crf: int = 22) -> Path:
    """Encode the scene at its own size and exact frame rate; writes ``path`` (mp4) and its truth as
    ``.json``. The same arguments write the same bytes.
    """
    path = Path(path)
    # A keyframe at least every second keeps seeking in the annotator's browser exact and quick.
    with h264_file(path, scene.fps, (scene.width, scene.height), crf=crf, gop=round(scene.fps)) as write:
        for first in range(0, scene.n_frames, RENDER_BATCH):
            numbers = np.arange(first, min(first + RENDER_BATCH, scene.n_frames))
            for number, picture in zip(numbers, render(scene, numbers), strict=True):
                write(picture, int(number))
    path.with_suffix(".json").write_text(json.dumps(truth(scene, path.name), separators=(",", ":")) + "\n")
    return path


def truth(scene: Scene, file_name: str) -> dict[str, Any]:
    """What an annotator should find: query, interval, and every object's normalised xyxy box per frame (null:
    unseen).
    """
    start, end = scene.truth
    objects = []
    for index, item in enumerate(scene.objects):
        boxes = [None if np.isnan(b).any() else [round(float(v), 5) for v in b] for b in scene.boxes(index)]
        objects.append(
            {
                "colour": item.colour,
                "shape": item.shape,
                "action": item.action,
                "start_frame": item.start,
                "end_frame": item.end,
                "boxes": boxes,
            }
        )
    return {
        "video": file_name,
        "query": scene.query,
        "fps": f"{scene.fps.numerator}/{scene.fps.denominator}",
        "width": scene.width,
        "height": scene.height,
        "n_frames": scene.n_frames,
        "target": scene.target,
        "start_frame": start,
        "end_frame": end,
        "objects": objects,
    }


def make_clips(
    folder: str | Path, n: int, seed: int = SPLIT_SEEDS["demo"], *, difficulty: Difficulty = "medium", **choices: Any
) -> list[Path]:
    """Write clips ``clip_000.mp4`` ... with truths into ``folder``; the same arguments write the same clips."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [
        write_clip(
            folder / f"clip_{number:03d}.mp4",
            sample_scene(np.random.default_rng(seed + number), difficulty=difficulty, **choices),
        )
        for number in range(n)
    ]
