"""COCO-VID and YouTube-VIS: videos in COCO's JSON. Boxes are ``x, y, width, height`` in pixels, frames count from 0.

COCO-VID has one annotation per box, joined by ``instance_id``; YouTube-VIS one per tube with a list over all frames.
Sentences are an addition of ours: ``caption`` of the instances or of the annotations.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import (
    MAX_FRAMES,
    UNUSABLE,
    DatasetError,
    VideoLabel,
    load_json,
    refuse_corners,
    take_or_raise,
    whole,
)
from stvg_core.text import clean

_Key = tuple[Any, Any]


def read_coco_vid(path: str | Path, *, encoding: str | None = None, bad: list[str] | None = None) -> list[VideoLabel]:
    """All instances of a file; their video is called by its ``file_name``, else by its ``name``.

    Args:
        encoding: of the file, where it is not UTF-8.
        bad: gets a sentence for each annotation that cannot be used and each instance with two boxes on one frame; they
            are left out then.

    Raises:
        DatasetError: missing, or no such file; without ``bad``, the annotation at fault is named.
    """
    path = Path(path)
    content = _content(path, encoding, ("videos", "images", "annotations"))
    videos, images, categories = (_by_id(path, content, name) for name in ("videos", "images", "categories"))
    captions = {entry["id"]: entry.get("caption") for entry in _by_id(path, content, "instances").values()}
    boxes: dict[_Key, dict[int, list[float]]] = {}
    facts: dict[_Key, Mapping[str, Any]] = {}
    doubled: dict[_Key, str] = {}
    for number, entry in enumerate(content["annotations"], start=1):
        where = f"{path}, annotation {number}"
        try:
            image = images[entry["image_id"]]
            key, frame, box = (
                (image["video_id"], entry["instance_id"]),
                whole(image["frame_id"]),
                _corners(entry["bbox"]),
            )
            hash(key)
            if image["video_id"] not in videos or not 0 <= frame < MAX_FRAMES:
                raise ValueError("its video or frame is impossible")
        except UNUSABLE as error:
            take_or_raise(DatasetError(f"{where} lacks a usable value ({error})."), bad)
            continue
        facts.setdefault(key, entry)
        if frame in boxes.setdefault(key, {}):
            doubled.setdefault(key, f"{where}: instance {key[1]} has a second box on frame {frame}.")
        boxes[key][frame] = box
    found = []
    for key, by_frame in boxes.items():
        try:
            if key in doubled:
                raise DatasetError(doubled[key])
            video = videos[key[0]]
            name = str(video.get("file_name") or video.get("name"))
            caption = captions.get(key[1]) or facts[key].get("caption")
            where = f"instance {key[1]} of {path.name}"
            found.append(_label(where, name, video, caption, facts[key], categories, by_frame))
        except DatasetError as error:
            take_or_raise(error, bad)
    refuse_corners(path, found)
    return found


def read_youtube_vis(
    path: str | Path, *, encoding: str | None = None, bad: list[str] | None = None
) -> list[VideoLabel]:
    """All annotations of a file that have boxes; their video is called by the folder of its pictures.

    Args and errors are :func:`read_coco_vid`'s.
    """
    path = Path(path)
    content = _content(path, encoding, ("videos", "annotations"))
    videos, categories = (_by_id(path, content, name) for name in ("videos", "categories"))
    found = []
    for number, entry in enumerate(content["annotations"], start=1):
        where = f"annotation {number} of {path.name}"
        try:
            video = videos[entry["video_id"]]
            name = str(video["file_names"][0]).rpartition("/")[0]
            boxes = {frame: _corners(box) for frame, box in enumerate(entry["bboxes"]) if box is not None}
            found.append(_label(where, name, video, entry.get("caption"), entry, categories, boxes))
        except UNUSABLE as error:
            take_or_raise(DatasetError(f"{where} lacks a usable value ({error})."), bad)
        except DatasetError as error:
            take_or_raise(error, bad)
    refuse_corners(path, found)
    return found


def _content(path: Path, encoding: str | None, lists: tuple[str, ...]) -> dict[str, Any]:
    content = load_json(path, encoding=encoding)
    if not isinstance(content, dict) or not all(isinstance(content.get(name), list) for name in lists):
        raise DatasetError(f"{path} is not such a file: one object with lists {', '.join(lists)} is expected.")
    return content


def _by_id(path: Path, content: dict[str, Any], name: str) -> dict[Any, dict[str, Any]]:
    """The entries of a list by their id; one that is there twice would make two things one."""
    found: dict[Any, dict[str, Any]] = {}
    entries = content.get(name) or []
    if not isinstance(entries, list):
        raise DatasetError(f"{path}: {name} is no list.")
    for entry in entries:
        try:
            if entry["id"] in found:
                raise DatasetError(f"{path}: two entries of {name} have the id {entry['id']}.")
            found[entry["id"]] = entry
        except UNUSABLE as error:
            raise DatasetError(f"{path}: an entry of {name} has no usable id ({error}).") from error
    return found


def _label(
    where: str, name: str, video: Mapping[str, Any], caption: Any, entry: Mapping[str, Any],
    categories: Mapping[Any, Mapping[str, Any]], boxes: Mapping[int, list[float]],
) -> VideoLabel:  # fmt: skip
    try:
        size = (whole(video["width"]), whole(video["height"])) if video.get("width") and video.get("height") else None
        length = whole(video["length"]) if video.get("length") else None
        category = str(categories.get(entry.get("category_id"), {}).get("name", ""))
        if size is not None and min(size) < 1:
            raise ValueError("the picture has no size")
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    frames = sorted(boxes)
    return VideoLabel(
        name, clean(str(caption or "")), clean(category), np.array(frames, dtype=np.int64),
        np.array([boxes[frame] for frame in frames]).reshape(-1, 4), size, where, length,
    )  # fmt: skip


def _corners(box: Any) -> list[float]:
    x, y, width, height = (float(value) for value in box)
    if not np.isfinite([x, y, width, height]).all() or min(width, height) < 0:
        raise ValueError("the box is impossible")
    return [x, y, x + width, y + height]
