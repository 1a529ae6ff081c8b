"""VidOR annotation files: the trajectories that VidSTG's sentences point to.

One JSON file per video. ``trajectories[frame]`` lists the objects seen on that frame (counted from 0) as
``{tid, bbox: {xmin, ymin, xmax, ymax}, generated, tracker}``; an object is missing from the list where it is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import DatasetError, load_json
from stvg_core.tube import Array


@dataclass(frozen=True)
class VidOrVideo:
    """One video's objects.

    Attributes:
        video_id: VidOR's number of the video, its file name without the ending.
        fps, n_frames, width, height: as written in the file.
        categories: class of each object by its ``tid``.
        trajectories: ``(frames, boxes)`` of each object by its ``tid``: ``(N,)`` int64 increasing frames and ``(N, 4)``
            float64 ``x1, y1, x2, y2`` in pixels.
    """

    video_id: str
    fps: float
    n_frames: int
    width: int
    height: int
    categories: dict[int, str]
    trajectories: dict[int, tuple[Array, Array]]


def find_vidor(folder: str | Path) -> dict[str, Path]:
    """Where the annotation of each video lies below ``folder`` (VidOR sorts them into subfolders); nothing is read."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"There is no folder {folder} with VidOR's annotation files.")
    return {path.stem: path for path in sorted(folder.rglob("*.json"))}


def read_vidor(path: str | Path) -> VidOrVideo:
    """Read one video's annotation.

    Raises:
        DatasetError: missing or not a VidOR file; the frame and the object at fault are named.
    """
    path = Path(path)
    content = load_json(path)
    try:
        objects = {int(entry["tid"]): str(entry["category"]) for entry in content["subject/objects"]}
        facts = float(content["fps"]), int(content["frame_count"]), int(content["width"]), int(content["height"])
        per_frame = list(content["trajectories"])
        name = str(content.get("video_id", path.stem))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DatasetError(f"{path} is not a VidOR annotation file: it lacks a usable {error}.") from error
    rows: dict[int, list[tuple[int, list[float]]]] = {}
    for frame, seen in enumerate(per_frame):
        for tid, box in _seen(path, frame, seen).items():
            rows.setdefault(tid, []).append((frame, box))
    trajectories = {
        tid: (np.array([frame for frame, _ in found]), np.array([box for _, box in found]))
        for tid, found in rows.items()
    }
    return VidOrVideo(name, *facts, objects, trajectories)


def _seen(path: Path, frame: int, entries: Any) -> dict[int, list[float]]:
    """The boxes of one frame by ``tid``."""
    found: dict[int, list[float]] = {}
    try:
        for entry in entries:
            box = [float(entry["bbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")]
            if not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
                raise DatasetError(f"{path}: object {entry['tid']} has an impossible box on frame {frame}.")
            found[int(entry["tid"])] = box
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{path}: frame {frame} holds an object without a usable tid and bbox.") from error
    return found
