"""COCO-VID and YouTube-VIS: two ways to put videos into COCO's JSON.

COCO-VID (mmtracking's ``CocoVID``): ``videos``, ``images`` (every frame of every video, ``frame_id`` from 0) and one
``annotation`` per box with its ``instance_id``. YouTube-VIS: one ``annotation`` per tube with a list over all frames of
the video, null where there is no box. Boxes are ``x, y, width, height`` in pixels. The sentences are in ``instances``
(COCO-VID) and in each annotation's ``caption`` (YouTube-VIS). Picture files are named as
``ffmpeg -i clip.mp4 clip/%06d.jpg`` names them: from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

from backend.export.pieces import AddText, dumps, sections
from backend.export.record import Record, VideoLabels


class Categories:
    """Numbers from 1 for the labels, in the order of their first appearance."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        return self._numbers.setdefault(name, len(self._numbers) + 1)

    def names(self) -> list[str]:
        return list(self._numbers)

    def entries(self) -> list[dict[str, Any]]:
        return [{"id": number, "name": name, "supercategory": "object"} for name, number in self._numbers.items()]


@contextmanager
def write_coco_vid(path: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file."""
    categories = Categories()
    videos, images, annotations, instances = count(1), count(1), count(1), count(1)
    names = ("videos", "images", "annotations", "instances", "categories")
    with sections(path, names, {"info": {"description": "spatio-temporal tubes"}}) as lists:

        def add(labels: VideoLabels) -> None:
            video = labels.video
            video_id = next(videos)
            size = {"width": video.width, "height": video.height}
            facts = {"id": video_id, "name": labels.stem, "file_name": labels.name, **size}
            lists["videos"](dumps(facts | {"length": video.n_frames, "fps": video.fps}))
            image_ids = {}
            for frame, file_name in enumerate(_pictures(labels)):
                image_ids[frame] = next(images)
                entry = {"id": image_ids[frame], "file_name": file_name, "video_id": video_id, "frame_id": frame}
                lists["images"](dumps(entry | size))
            for record in labels.records:
                shared = {"video_id": video_id, "category_id": categories.number(record.category)}
                instance_id = next(instances)
                lists["instances"](dumps({"id": instance_id, **shared, "caption": record.query} | record.mark()))
                for frame, box in _boxes(record):
                    ids = {"id": next(annotations), "image_id": image_ids[frame], "instance_id": instance_id}
                    lists["annotations"](dumps(ids | shared | {"bbox": box, "area": _area(box), "iscrowd": 0}))

        yield add
        _write_categories(lists["categories"], categories)


@contextmanager
def write_youtube_vis(path: Path) -> Iterator[Callable[[VideoLabels], None]]:
    """A function that adds a video's labels to the file."""
    categories = Categories()
    videos, annotations = count(1), count(1)
    names = ("videos", "annotations", "categories")
    with sections(path, names, {"info": {"description": "spatio-temporal tubes, boxes only"}}) as lists:

        def add(labels: VideoLabels) -> None:
            video = labels.video
            video_id = next(videos)
            size = {"width": video.width, "height": video.height}
            entry = {"id": video_id, **size, "length": video.n_frames, "file_names": list(_pictures(labels))}
            lists["videos"](dumps(entry))
            for record in labels.records:
                boxes: list[list[float] | None] = [None] * video.n_frames
                for frame, box in _boxes(record):
                    boxes[frame] = box
                lists["annotations"](
                    dumps(
                        {
                            "id": next(annotations),
                            "video_id": video_id,
                            "category_id": categories.number(record.category),
                            "caption": record.query,
                            "iscrowd": 0,
                            **size,
                            "length": video.n_frames,
                            "bboxes": boxes,
                            "areas": [None if box is None else _area(box) for box in boxes],
                            "segmentations": [None] * video.n_frames,
                            **record.mark(),
                        }
                    )
                )

        yield add
        _write_categories(lists["categories"], categories)


def _boxes(record: Record) -> Iterator[tuple[int, list[float]]]:
    """``(frame, [x, y, width, height])`` where the box is switched on."""
    for frame, box, drawn in zip(record.tube.frames.tolist(), record.sizes(), record.drawn(), strict=True):
        if drawn:
            yield frame, box


def _pictures(labels: VideoLabels) -> Iterator[str]:
    return (f"{labels.stem}/{number:06d}.jpg" for number in range(1, labels.video.n_frames + 1))


def _area(box: list[float]) -> float:
    return round(box[2] * box[3], 4)


def _write_categories(add: AddText, categories: Categories) -> None:
    for entry in categories.entries():
        add(dumps(entry))
