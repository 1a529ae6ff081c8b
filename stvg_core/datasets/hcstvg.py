"""HC-STVG annotation files, versions 1 and 2.

One JSON object per file: ``{video name: record}``. Version 1 has ``caption``, ``width`` and ``height``; version 2 has
``English`` and ``img_size: [height, width]``. Both have ``bbox`` (``[x, y, w, h]`` in pixels, one per tube frame),
``st_time`` and ``ed_time`` in seconds, ``img_num`` (frames in the clip) and ``st_frame``, which counts from 1.
Inside, frames count from 0.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.datasets.base import (
    AS_CORNERS,
    IN_SHARES,
    MAX_FRAMES,
    UNUSABLE,
    DatasetError,
    VideoLabel,
    are_shares,
    fit_as_corners,
    leaves,
    load_json,
    split_ending,
    take_or_raise,
    whole,
)
from stvg_core.text import clean
from stvg_core.tube import Array, Tube

__all__ = ["CLIP", "DatasetError", "HcStvgRecord", "read", "write_v2"]

CLIP = "video"
"""An addition to the format: the video's own name, in records whose name had to be made unique."""


@dataclass(frozen=True)
class HcStvgRecord:
    """One sentence and its tube.

    Attributes:
        video: file name, the key of the record.
        caption: the sentence.
        boxes: ``(N, 4)`` float64 ``x, y, w, h`` in pixels, row i on frame ``start_frame + i``.
        start_frame: 0-based.
        start_s, end_s: as written in the file.
        n_frames: frames in the whole clip.
        width, height: of the picture in pixels.
        clip: the video's own name, where ``video`` was made unique; None where they are the same.
    """

    video: str
    caption: str
    boxes: Array
    start_frame: int
    start_s: float
    end_s: float
    n_frames: int
    width: int
    height: int
    clip: str | None = None

    def tube(self) -> Tube:
        """The boxes as normalised xyxy, cut at the border of the picture."""
        return Tube(self.start_frame, self.corners() / (self.width, self.height, self.width, self.height))

    def corners(self) -> Array:
        """``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels."""
        x, y, w, h = np.asarray(self.boxes, dtype=np.float64).T
        return np.stack([x, y, x + w, y + h], axis=1)

    def label(self) -> VideoLabel:
        """The same as a label of any format; a name that was made unique (``a.mp4#2``) is the video's again."""
        frames = np.arange(self.start_frame, self.start_frame + len(self.boxes))
        return VideoLabel(
            self.video if self.clip is None else self.clip,
            clean(self.caption),
            "person",
            frames,
            self.corners(),
            (self.width, self.height),
            f"record {self.video}",
            self.n_frames,
        )

    @classmethod
    def from_tube(
        cls, video: str, caption: str, tube: Tube, *, fps: float, n_frames: int, width: int, height: int,
        seconds: tuple[float, float] | None = None,
    ) -> HcStvgRecord:  # fmt: skip
        """A record for a tube; times are the first and last frame's, to a thousandth of a second.

        Args:
            seconds: those two times where the frames are not evenly spaced; else ``fps`` gives them.
        """
        start_s, end_s = seconds or (tube.start_frame / fps, tube.end_frame / fps)
        x1, y1, x2, y2 = (tube.boxes.astype(np.float64) * (width, height, width, height)).T
        return cls(
            video, caption, np.stack([x1, y1, x2 - x1, y2 - y1], axis=1).round(2), tube.start_frame,
            round(start_s, 3), round(end_s, 3), n_frames, width, height,
        )  # fmt: skip


def read(
    path: str | Path, *, encoding: str | None = None, bad: list[str] | None = None, labels: bool = True
) -> list[HcStvgRecord]:
    """All records of a version 1 or 2 file, in the file's order.

    Args:
        encoding: of the file, where it is not UTF-8.
        bad: gets a sentence for each record that cannot be used, which is left out then.
        labels: False for predictions, whose boxes may leave the picture.

    Raises:
        DatasetError: the file is missing, is not an annotation file, or has corners for boxes; without ``bad``, the
            record at fault is named.
    """
    path = Path(path)
    return list(records(path, load_json(path, encoding=encoding), bad=bad, labels=labels))


def records(
    path: str | Path, content: Any, *, bad: list[str] | None = None, labels: bool = True
) -> Iterator[HcStvgRecord]:
    """The same of a file that was parsed already, one record at a time. ``path`` is for messages."""
    if not isinstance(content, dict):
        raise DatasetError(f"{path} is not an HC-STVG file: one object of video names is expected.")
    _refuse_corners(path, content)
    for name, fields in content.items():
        try:
            record = _record(path, name, fields, clip=clip_of(name, fields, content))
            if labels and leaves(record.corners(), (record.width, record.height)):
                raise DatasetError(f"{path}: the record of {name} has a box that leaves the picture. {_SIZES}")
        except DatasetError as error:
            take_or_raise(error, bad)
        else:
            yield record


_SIZES = "Boxes are x, y, width, height in pixels, img_size is height, width: is that so here?"


def _refuse_corners(path: str | Path, content: dict[str, Any]) -> None:
    """:class:`DatasetError` where boxes leave the picture and each of the file would fit as ``x1, y1, x2, y2``."""
    out = None
    for name, fields in content.items():
        try:
            record = _record(path, name, fields, clip=None)
        except DatasetError:
            continue
        size = record.width, record.height
        if not fit_as_corners(record.boxes, size):
            return
        if leaves(record.corners(), size):
            out = out or name
    if out is not None:
        raise DatasetError(f"{path}: the record of {out} {AS_CORNERS}")


def clip_of(name: str, fields: Any, content: dict[str, Any]) -> str | None:
    """The video's own name, where the record's was made unique: our exports say it, else ``a.mp4#2`` tells it."""
    if isinstance(fields, dict) and isinstance(fields.get(CLIP), str):
        return str(fields[CLIP])
    first, mark, number = name.rpartition("#")
    return first if mark and number.isdigit() and (first in content or split_ending(first)[1]) else None


def _record(path: str | Path, video: str, fields: Any, *, clip: str | None) -> HcStvgRecord:
    try:
        if "img_size" in fields:
            height, width = (whole(v) for v in fields["img_size"][:2])
        else:
            width, height = whole(fields["width"]), whole(fields["height"])
        boxes = np.array(fields["bbox"], dtype=np.float64)
        start = whole(fields["st_frame"]) - 1
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError("bbox is no list of x, y, width, height")
        if len(boxes) == 0 or width < 1 or height < 1 or not np.isfinite(boxes).all() or (boxes[:, 2:] < 0).any():
            raise ValueError("empty or impossible")
        if are_shares(boxes, (width, height)):
            raise ValueError(IN_SHARES)
        if not 0 <= start <= MAX_FRAMES - len(boxes):
            raise ValueError(f"st_frame {start + 1} is impossible")
        caption = fields["English"] if "English" in fields else fields["caption"]
        begins, ends, n_frames = float(fields["st_time"]), float(fields["ed_time"]), whole(fields["img_num"])
        if not isinstance(caption, str):
            raise ValueError("the sentence is no text")
        if not 0 <= begins <= ends < float("inf"):
            raise ValueError("it ends before it starts")
        return HcStvgRecord(video, caption, boxes, start, begins, ends, n_frames, width, height, clip)
    except UNUSABLE as error:
        raise DatasetError(f"{path}: the record of {video} lacks a usable value ({error}).") from error


def write_v2(records: Iterable[HcStvgRecord], path: str | Path) -> int:
    """Write records as a version 2 file and return how many.

    The file appears whole or not at all. A name that occurs again (two sentences on one video) gets ``#2``, ``#3`` ...,
    because the format allows each name once.
    """
    content: dict[str, Any] = {}
    for record in records:
        name, count = record.video, 1
        while name in content:
            count += 1
            name = f"{record.video}#{count}"
        content[name] = {
            "bbox": [[float(v) for v in box] for box in record.boxes],
            "st_time": record.start_s,
            "ed_time": record.end_s,
            "st_frame": record.start_frame + 1,
            "img_num": record.n_frames,
            "img_size": [record.height, record.width],
            "English": record.caption,
        }
    _write_atomically(
        Path(path), json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False) + "\n"
    )
    return len(content)


def _write_atomically(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
