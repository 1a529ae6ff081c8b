"""VidSTG: sentences about VidOR's objects, joined with their trajectories.

A list of ``{vid, fps, frame_count, width, height, "subject/objects": [{tid, category}], used_segment, temporal_gt,
captions, questions}`` with frames counted from 0. Captions are declarative, questions interrogative; each is a
``{description, type, target_id}``. ``temporal_gt.end_fid`` is exclusive, although most targets have a box on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import DatasetError, VideoLabel, load_json
from stvg_core.datasets.vidor import VidOrVideo, find_vidor, read_vidor
from stvg_core.tube import Array


@dataclass(frozen=True)
class VidStgRecord:
    """One sentence and its target.

    Attributes:
        video: VidOR's number of the video.
        sentence: as written, spaces and all.
        kind: "declarative" or "interrogative".
        target_id: the target's ``tid``; ``category`` is its class.
        n_objects: how many objects are annotated in the video.
        fps, n_frames, width, height: of the whole video.
        segment: first and last frame of the part of the video that belongs to the sentence.
        start, end: ``temporal_gt`` as written: ``end`` is exclusive.
        frames, boxes: ``(N,)`` int64 and ``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels: the target's boxes from
            ``start`` to ``end``, **both included**, where it has one (evaluators differ over the box on ``end``).
    """

    video: str
    sentence: str
    kind: str
    target_id: int
    category: str
    n_objects: int
    fps: float
    n_frames: int
    width: int
    height: int
    segment: tuple[int, int]
    start: int
    end: int
    frames: Array
    boxes: Array

    def label(self) -> VideoLabel:
        """The target on the frames of the interval, its exclusive end left out.

        Raises:
            DatasetError: the target has no box before the exclusive end.
        """
        inside = self.frames < self.end
        return VideoLabel(
            self.video, " ".join(self.sentence.split()), self.category, self.frames[inside], self.boxes[inside],
            (self.width, self.height), f'"{self.sentence}" on {self.video}, frames {self.start} to {self.end}',
            self.n_frames,
        )  # fmt: skip


def read(path: str | Path, vidor: str | Path) -> list[VidStgRecord]:
    """All sentences of a VidSTG file with their boxes, captions before questions, in the file's order.

    Args:
        path: ``train_annotations.json``, ``val_annotations.json``, ``test_annotations.json`` or a part of one.
        vidor: folder of VidOR's annotation files; subfolders are searched.

    Raises:
        DatasetError: a file is missing or not of its format; the record at fault is named.
    """
    path = Path(path)
    content = load_json(path)
    if not isinstance(content, list):
        raise DatasetError(f"{path} is not a VidSTG file: a list of videos with captions and questions is expected.")
    places = find_vidor(vidor)
    current: tuple[str, VidOrVideo] | None = None
    found: list[VidStgRecord] = []
    for number, entry in enumerate(content, start=1):
        name = str(entry.get("vid", "")) if isinstance(entry, dict) else ""
        if name not in places:
            raise DatasetError(
                f"{path}, record {number}: there are no trajectories of video {name or 'without vid'} below {vidor}. "
                "Get VidOR's annotations, or leave the record out."
            )
        if current is None or current[0] != name:  # records of a video follow each other; files are large
            current = name, read_vidor(places[name])
        found += _sentences(path, number, entry, current[1])
    return found


def _sentences(path: Path, number: int, entry: dict[str, Any], video: VidOrVideo) -> Iterator[VidStgRecord]:
    where = f"{path}, record {number} (video {entry['vid']})"
    try:
        size = int(entry["width"]), int(entry["height"])
        objects = {int(thing["tid"]): str(thing["category"]) for thing in entry["subject/objects"]}
        segment = int(entry["used_segment"]["begin_fid"]), int(entry["used_segment"]["end_fid"])
        start, end = int(entry["temporal_gt"]["begin_fid"]), int(entry["temporal_gt"]["end_fid"])
        fps, n_frames = float(entry["fps"]), int(entry["frame_count"])
        texts = [("declarative", text) for text in entry["captions"]]
        texts += [("interrogative", text) for text in entry["questions"]]
        asked = [(kind, str(text["description"]), int(text["target_id"])) for kind, text in texts]
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 0 <= start < end or not fps > 0 or min(size) < 1:
        raise DatasetError(f"{where} has an impossible interval, frame rate or size.")
    for kind, sentence, target in asked:
        frames, boxes = video.trajectories.get(target, (np.zeros(0, dtype=np.int64), np.zeros((0, 4))))
        inside = (frames >= start) & (frames <= end)
        if not inside.any():
            raise DatasetError(f'{where}: target {target} of "{sentence}" has no box from frame {start} to {end}.')
        yield VidStgRecord(
            str(entry["vid"]), sentence, kind, target, objects.get(target, ""), len(objects), fps, n_frames, *size,
            segment, start, end, frames[inside], boxes[inside],
        )  # fmt: skip
