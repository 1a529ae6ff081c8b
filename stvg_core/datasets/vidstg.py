"""VidSTG: sentences about VidOR's objects, joined with their trajectories.

A list of ``{vid, fps, frame_count, width, height, "subject/objects": [{tid, category}], used_segment, temporal_gt,
captions, questions}`` with frames counted from 0. Captions are declarative, questions interrogative; each is a
``{description, type, target_id}``. ``temporal_gt.end_fid`` is exclusive, although most targets have a box on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import UNUSABLE, DatasetError, VideoLabel, load_json, take_or_raise, whole
from stvg_core.datasets.vidor import VidOrFolder, VidOrVideo, read_vidor
from stvg_core.text import clean
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
        place: the record in the file and the sentence of its kind in the record, both from 1.
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
    place: tuple[int, int] = (0, 0)

    def label(self) -> VideoLabel:
        """The target on the frames of the interval, its exclusive end left out.

        Raises:
            DatasetError: the target has no box before the exclusive end.
        """
        inside = self.frames < self.end
        return VideoLabel(
            self.video, clean(self.sentence), clean(self.category), self.frames[inside], self.boxes[inside],
            (self.width, self.height), f'"{self.sentence}" on {self.video}, frames {self.start} to {self.end}',
            self.n_frames,
        )  # fmt: skip


def read(
    path: str | Path, vidor: str | Path, *, encoding: str | None = None, bad: list[str] | None = None
) -> list[VidStgRecord]:
    """All sentences of a VidSTG file with their boxes, captions before questions, in the file's order.

    Args:
        path: ``train_annotations.json``, ``val_annotations.json``, ``test_annotations.json`` or a part of one.
        vidor: folder of VidOR's annotation files; subfolders are searched.
        encoding: of the files, where they are not UTF-8.
        bad: gets a line for each record or sentence that cannot be used, which is left out then.

    Raises:
        DatasetError: a file is missing or not of its format; without ``bad``, the record at fault is named.
    """
    path = Path(path)
    return list(records(path, load_json(path, encoding=encoding), vidor, encoding=encoding, bad=bad))


def records(
    path: str | Path, content: Any, vidor: str | Path, *, encoding: str | None = None, bad: list[str] | None = None
) -> Iterator[VidStgRecord]:
    """The same of a file that was parsed already, one sentence at a time. ``path`` is for messages."""
    if not isinstance(content, list):
        raise DatasetError(f"{path} is not a VidSTG file: a list of videos with captions and questions is expected.")
    places = VidOrFolder(vidor)
    videos = _Videos(places, tolerant=bad is not None, encoding=encoding)
    for number, entry in enumerate(content, start=1):
        where = f"{path}, record {number}"
        try:
            name = str(entry.get("vid", "")) if isinstance(entry, dict) else ""
            video = videos.read(where, name or "without vid")
            where = f"{where} (video {name})"
            facts = _facts(where, entry, video)
        except DatasetError as error:
            take_or_raise(error, bad)
            continue
        counts: Counter[str] = Counter()
        for kind, text, record in facts:
            counts[kind] += 1
            try:
                found = _sentence(where, kind, text, record, video, (number, counts[kind]))
            except DatasetError as error:
                take_or_raise(error, bad)
            else:
                yield found


class _Videos:
    """Reads trajectories; records of a video follow each other and files are large, so the last one is kept."""

    def __init__(self, places: VidOrFolder, *, tolerant: bool, encoding: str | None) -> None:
        self._places, self._tolerant, self._encoding = places, tolerant, encoding
        self._last: tuple[str, VidOrVideo | DatasetError] | None = None

    def read(self, where: str, name: str) -> VidOrVideo:
        if self._last is None or self._last[0] != name:
            self._last = name, self._read(name)
        video = self._last[1]
        if isinstance(video, DatasetError):
            raise DatasetError(f"{where}: {video}") from video
        return video

    def _read(self, name: str) -> VidOrVideo | DatasetError:
        try:
            return read_vidor(self._places.find(name), tolerant=self._tolerant, encoding=self._encoding)
        except DatasetError as error:
            return error


@dataclass(frozen=True)
class _Record:
    """What a record says for all of its sentences."""

    video: str
    size: tuple[int, int]
    objects: dict[int, str]
    segment: tuple[int, int]
    start: int
    end: int
    fps: float
    n_frames: int


def _facts(where: str, entry: dict[str, Any], video: VidOrVideo) -> list[tuple[str, Any, _Record]]:
    """``(kind, sentence's entry, record)`` of each sentence."""
    try:
        record = _Record(
            str(entry["vid"]),
            (whole(entry["width"]), whole(entry["height"])),
            {whole(thing["tid"]): str(thing["category"]) for thing in entry["subject/objects"]},
            (whole(entry["used_segment"]["begin_fid"]), whole(entry["used_segment"]["end_fid"])),
            whole(entry["temporal_gt"]["begin_fid"]),
            whole(entry["temporal_gt"]["end_fid"]),
            float(entry["fps"]),
            whole(entry["frame_count"]),
        )
        texts = [("declarative", text, record) for text in entry["captions"]]
        texts += [("interrogative", text, record) for text in entry["questions"]]
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    if not 0 <= record.start < record.end or not 0 < record.fps < float("inf") or min(record.size) < 1:
        raise DatasetError(f"{where} has an impossible interval, frame rate or size.")
    if record.size != (video.width, video.height):
        raise DatasetError(
            f"{where} is for a picture of {record.size[0]}x{record.size[1]}, its trajectories are for "
            f"{video.width}x{video.height}."
        )
    if record.n_frames != video.n_frames:
        raise DatasetError(
            f"{where} counts {record.n_frames} frames, its trajectories {video.n_frames}: the frames are not the same."
        )
    return texts


def _sentence(
    where: str, kind: str, text: Any, record: _Record, video: VidOrVideo, place: tuple[int, int]
) -> VidStgRecord:
    try:
        sentence, target = text["description"], whole(text["target_id"])
        if not isinstance(sentence, str):
            raise ValueError("description is no text")
    except UNUSABLE as error:
        raise DatasetError(f"{where} lacks a usable value ({error}).") from error
    wrong = next((r for f, r in video.broken.get(target, {}).items() if record.start <= f < record.end), None)
    if wrong is not None:
        raise DatasetError(f'{where}: "{sentence}": {wrong}')
    frames, boxes = video.trajectories.get(target, (np.zeros(0, dtype=np.int64), np.zeros((0, 4))))
    inside = (frames >= record.start) & (frames <= record.end)
    if not inside.any():
        raise DatasetError(
            f'{where}: target {target} of "{sentence}" has no box from frame {record.start} to {record.end}.'
        )
    return VidStgRecord(
        record.video, sentence, kind, target, record.objects.get(target, ""), len(record.objects), record.fps,
        record.n_frames, *record.size, record.segment, record.start, record.end, frames[inside], boxes[inside],
        place,
    )  # fmt: skip
