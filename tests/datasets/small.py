"""Small files in the public datasets' formats, written for the tests."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Boxes = Mapping[int, tuple[float, float, float, float]]


def vidor(
    folder: Path,
    video: str,
    tracks: Mapping[int, Boxes],
    *,
    n_frames: int = 40,
    categories: Mapping[int, str] | None = None,
    size: tuple[int, int] = (200, 100),
) -> Path:
    """A VidOR file with each track's boxes, in pixels of pictures of ``size`` (width, height), 25 fps."""
    trajectories: list[list[dict[str, Any]]] = [[] for _ in range(n_frames)]
    for tid, boxes in tracks.items():
        for frame, box in boxes.items():
            sides = dict(zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
            trajectories[frame].append({"tid": tid, "bbox": sides, "generated": 0, "tracker": "none"})
    names = categories or {}
    content = {
        "video_id": video, "fps": 25.0, "frame_count": n_frames, "width": size[0], "height": size[1],
        "subject/objects": [{"tid": tid, "category": names.get(tid, "dog")} for tid in tracks],
        "trajectories": trajectories,
    }  # fmt: skip
    path = folder / "0001" / f"{video}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def vidstg_entry(video: str, start: int, end: int, **changes: Any) -> dict[str, Any]:
    """One record of a VidSTG file: a caption for object 0 and a question for object 1."""
    return {
        "vid": video, "fps": 25.0, "frame_count": 40, "width": 200, "height": 100,
        "subject/objects": [{"tid": 0, "category": "dog"}, {"tid": 1, "category": "child"}],
        "used_segment": {"begin_fid": 0, "end_fid": 39},
        "temporal_gt": {"begin_fid": start, "end_fid": end},
        "captions": [{"description": "the dog  runs", "type": "object", "target_id": 0}],
        "questions": [{"description": "who sits down?", "type": "person", "target_id": 1}],
    } | changes  # fmt: skip


def hcstvg_entry(
    start_frame: int, n_boxes: int, *, caption: str = "the man sits down", **changes: Any
) -> dict[str, Any]:
    """One record of an HC-STVG v1 file, ``start_frame`` from 1: a box that moves a pixel a frame in 200x100 pixels."""
    return {
        "bbox": [[10 + k, 20, 50, 40] for k in range(n_boxes)], "st_time": 1.0, "ed_time": 2.0, "img_num": 500,
        "st_frame": start_frame, "caption": caption, "width": 200, "height": 100,
    } | changes  # fmt: skip


def moving(frames: range, *, step: float = 1.0, corner: float = 10.0) -> dict[int, tuple[float, float, float, float]]:
    """A box of 50x40 pixels that moves ``step`` pixels a frame."""
    return {frame: (corner + step * k, 20.0, corner + step * k + 50.0, 60.0) for k, frame in enumerate(frames)}
