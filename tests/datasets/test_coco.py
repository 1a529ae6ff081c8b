"""COCO-VID and YouTube-VIS of others: what cannot be used is named, the rest comes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.coco import read_coco_vid, read_youtube_vis

VIDEOS = [{"id": 1, "name": "walk", "width": 200, "height": 100}]
IMAGES = [{"id": 10 + frame, "video_id": 1, "frame_id": frame, "file_name": f"walk/{frame}.jpg"} for frame in range(4)]
CATEGORIES = [{"id": 1, "name": "person"}]


def box(image: int, instance: int, bbox: Any = (10, 20, 30, 40), **more: Any) -> dict[str, Any]:
    return {"image_id": image, "instance_id": instance, "category_id": 1, "bbox": bbox, **more}


def write(tmp_path: Path, **content: Any) -> Path:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"videos": VIDEOS, "images": IMAGES, "categories": CATEGORIES} | content))
    return path


def test_coco_vid(tmp_path: Path) -> None:
    annotations = [
        box(11, 5, caption="the man"), box(13, 5), box(12, 5, bbox=(1, 2, -3, 4)), box(99, 5),
        box(11, 6), box(11, 6), {"image_id": 11},
    ]  # fmt: skip
    path = write(tmp_path, annotations=annotations)
    bad: list[str] = []
    [label] = read_coco_vid(path, bad=bad)
    assert (label.video, label.sentence, label.category, label.size) == ("walk", "the man", "person", (200, 100))
    assert (label.frames.tolist(), label.boxes[0].tolist()) == ([1, 3], [10, 20, 40, 60])
    for number, said in enumerate(("annotation 3", "annotation 4", "annotation 7", "second box on frame 1")):
        assert said in bad[number]
    assert len(bad) == 4
    with pytest.raises(DatasetError, match="annotation 3"):
        read_coco_vid(path)


def test_youtube_vis(tmp_path: Path) -> None:
    videos = [VIDEOS[0] | {"file_names": ["walk/0.jpg", "walk/1.jpg"], "length": 2}]
    annotations = [
        {"video_id": 1, "category_id": 1, "bboxes": [None, [1, 2, 3, 4]]},
        {"video_id": 1, "category_id": 1, "bboxes": [None, None]},
        {"video_id": 2, "category_id": 1, "bboxes": []},
    ]
    bad: list[str] = []
    [label] = read_youtube_vis(write(tmp_path, videos=videos, annotations=annotations), bad=bad)
    assert (label.video, label.frames.tolist(), label.boxes.tolist()) == ("walk", [1], [[1, 2, 4, 6]])
    assert "annotation 2 of x.json has no boxes" in bad[0] and "annotation 3 of x.json" in bad[1] and len(bad) == 2


def test_two_things_of_one_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="two entries of videos have the id 1"):
        read_coco_vid(write(tmp_path, videos=VIDEOS * 2, annotations=[]))
    with pytest.raises(DatasetError, match="lists videos"):
        read_youtube_vis(write(tmp_path, videos=None))


def test_corners_where_sizes_belong_are_refused(tmp_path: Path) -> None:
    annotations = [box(10, 1, [150, 50, 190, 90]), box(11, 1, [10, 10, 40, 40])]
    with pytest.raises(DatasetError, match=r"instance 1 of x\.json leaves the picture.*x1, y1, x2, y2"):
        read_coco_vid(write(tmp_path, annotations=annotations), bad=[])
    annotations.append(box(12, 1, [150, 50, 60, 20]))  # no box as corners: sizes, and an object at the border
    assert len(read_coco_vid(write(tmp_path, annotations=annotations))) == 1
    tubes = [{"video_id": 1, "category_id": 1, "bboxes": [[150, 50, 190, 90], None]}]
    videos = [{"id": 1, "width": 200, "height": 100, "file_names": ["walk/0.jpg", "walk/1.jpg"]}]
    with pytest.raises(DatasetError, match="leaves the picture"):
        read_youtube_vis(write(tmp_path, videos=videos, annotations=tubes), bad=[])


def test_a_frame_that_is_no_whole_number_is_named(tmp_path: Path) -> None:
    images = [*IMAGES, {"id": 99, "video_id": 1, "frame_id": 1.5}]
    bad: list[str] = []
    [label] = read_coco_vid(write(tmp_path, images=images, annotations=[box(10, 1), box(99, 1)]), bad=bad)
    assert label.frames.tolist() == [0] and "annotation 2" in bad[0] and "1.5 is no whole number" in bad[0]
