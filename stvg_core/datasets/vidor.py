"""VidOR annotation files: the trajectories that VidSTG's sentences point to.

One JSON file per video. ``trajectories[frame]`` lists the objects seen on that frame (counted from 0) as
``{tid, bbox: {xmin, ymin, xmax, ymax}, generated, tracker}``; an object is missing from the list where it is not seen.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import UNUSABLE, DatasetError, decimal, load_json, whole
from stvg_core.text import key
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
        broken: what is wrong with an object's box, by ``tid`` and frame; it has none there in ``trajectories``.
    """

    video_id: str
    fps: float
    n_frames: int
    width: int
    height: int
    categories: dict[int, str]
    trajectories: dict[int, tuple[Array, Array]]
    broken: dict[int, dict[int, str]] = field(default_factory=dict)


class VidOrFolder:
    """Where the annotation of each video lies below a folder (VidOR sorts them into subfolders); nothing is read."""

    def __init__(self, folder: str | Path) -> None:
        """Raises :class:`DatasetError` where there is no such folder."""
        self._folder = Path(folder)
        if not self._folder.is_dir():
            raise DatasetError(f"There is no folder {folder} with VidOR's annotation files.")
        self._exact: dict[str, list[Path]] = {}
        self._alike: dict[str, list[Path]] = {}
        for path in sorted(self._folder.rglob("*.json")):
            self._exact.setdefault(path.stem, []).append(path)
            self._alike.setdefault(key(path.stem), []).append(path)

    def find(self, video: str) -> Path:
        """The file about a video; :class:`DatasetError` where there is none, or several that could be meant."""
        found = self._exact.get(video) or self._alike.get(key(video), [])
        if not found:
            raise DatasetError(
                f"there are no trajectories of video {video} below {self._folder}. Get VidOR's annotations, or leave "
                "the record out."
            )
        if len(found) > 1:
            raise DatasetError(f"video {video} has two files of trajectories, {found[0]} and {found[1]}.")
        return found[0]


def read_vidor(path: str | Path, *, tolerant: bool = False, encoding: str | None = None) -> VidOrVideo:
    """Read one video's annotation.

    Args:
        tolerant: note impossible boxes in ``broken`` and go on.
        encoding: of the file, where it is not UTF-8.

    Raises:
        DatasetError: missing or not a VidOR file; the frame and the object at fault are named.
    """
    path = Path(path)
    content = load_json(path, encoding=encoding)
    try:
        objects = {int(entry["tid"]): str(entry["category"]) for entry in content["subject/objects"]}
        facts = (
            decimal(content["fps"]),
            whole(content["frame_count"]),
            whole(content["width"]),
            whole(content["height"]),
        )
        per_frame = list(content["trajectories"])
        name = str(content.get("video_id", path.stem))
    except UNUSABLE as error:
        raise DatasetError(f"{path} is not a VidOR annotation file: it lacks a usable {error}.") from error
    rows: dict[int, list[tuple[int, list[float]]]] = {}
    broken: dict[int, dict[int, str]] = {}
    for frame, seen in enumerate(per_frame):
        boxes, wrong = _seen(path, frame, seen)
        for tid, reason in wrong.items():
            if not tolerant:
                raise DatasetError(f"{path}: {reason}")
            broken.setdefault(tid, {})[frame] = reason
        for tid, box in boxes.items():
            rows.setdefault(tid, []).append((frame, box))
    trajectories = {
        tid: (np.array([frame for frame, _ in found]), np.array([box for _, box in found]))
        for tid, found in rows.items()
    }
    return VidOrVideo(name, *facts, objects, trajectories, broken)


def _seen(path: Path, frame: int, entries: Any) -> tuple[dict[int, list[float]], dict[int, str]]:
    """The boxes of one frame by ``tid``, and what is wrong with those that cannot be used."""
    found: dict[int, list[float]] = {}
    broken: dict[int, str] = {}
    try:
        for entry in entries:
            tid, box = int(entry["tid"]), [float(entry["bbox"][side]) for side in ("xmin", "ymin", "xmax", "ymax")]
            if not np.isfinite(box).all() or box[2] < box[0] or box[3] < box[1]:
                broken[tid] = f"object {tid} has an impossible box on frame {frame}."
            elif tid in found:
                broken[tid] = f"object {tid} has two boxes on frame {frame}."
            found[tid] = box
    except UNUSABLE as error:
        raise DatasetError(f"{path}: frame {frame} holds an object without a usable tid and bbox.") from error
    return {tid: box for tid, box in found.items() if tid not in broken}, broken
