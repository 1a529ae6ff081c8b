"""What all dataset readers share: one error, one way to open a file, and one label whatever the format."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stvg_core.errors import StvgError
from stvg_core.tube import Array, Tube

MAX_FRAMES = 10_000_000
"""Over four days at 25 fps; a larger number in a file is a mistake that would fill the memory."""

VIDEO_ENDINGS = frozenset(
    {"3gp", "avi", "flv", "m2ts", "m4v", "mkv", "mov", "mp4", "mpeg", "mpg", "mts", "ogv", "ts", "webm", "wmv"}
)


class DatasetError(StvgError):
    """An annotation file cannot be read: missing, of another format, or a record (named) lacks something."""


@dataclass(frozen=True)
class VideoLabel:
    """One object in one video, as any of the formats can say it.

    Attributes:
        video: the video as the dataset names it: a file name, or a name without its ending.
        sentence: what describes the object; "" where the format has no sentences.
        category: the object's class; "" where the format has none.
        frames: ``(N,)`` int64, 0-based and strictly increasing: where the object has a box. Gaps are allowed.
        boxes: ``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels of a picture of ``size``.
        size: ``(width, height)`` in pixels; None where the format does not say it and the video itself decides.
        n_frames: frames in the whole video as the dataset counts them; None where it does not say.
        record: names the label inside its file, for messages: "object 3 of gt.txt".
    """

    video: str
    sentence: str
    category: str
    frames: Array
    boxes: Array
    size: tuple[int, int] | None
    record: str
    n_frames: int | None = None

    def __post_init__(self) -> None:
        frames, boxes = np.asarray(self.frames, dtype=np.int64), np.asarray(self.boxes, dtype=np.float64)
        if frames.ndim != 1 or len(frames) == 0 or boxes.shape != (len(frames), 4):
            raise DatasetError(f"{self.record} has no boxes, or not four numbers for each of its frames.")
        if frames[0] < 0 or np.any(np.diff(frames) <= 0):
            raise DatasetError(f"{self.record}: its frames do not increase from 0 on; a frame may occur once.")
        if not np.isfinite(boxes).all():
            raise DatasetError(f"{self.record} has a box that is not made of finite numbers.")
        object.__setattr__(self, "frames", frames)
        object.__setattr__(self, "boxes", boxes)

    @property
    def missing(self) -> int:
        """Frames between the first and the last that have no box."""
        return int(self.frames[-1] - self.frames[0]) + 1 - len(self.frames)

    def tube(self, size: tuple[int, int]) -> Tube:
        """Normalised by the label's own size, else by ``size`` (the video's); gaps are filled linearly."""
        width, height = self.size or size
        every = np.arange(self.frames[0], self.frames[-1] + 1)
        filled = np.stack([np.interp(every, self.frames, self.boxes[:, k]) for k in range(4)], axis=1)
        return Tube(int(every[0]), filled / (width, height, width, height))


def video_stem(name: str) -> str:
    """What a video is known by across files: its name without folders and a video's ending, in lower case.

    VidSTG leaves endings out and videos get converted, so ``0001/27938.mp4``, ``27938.mkv`` and ``27938`` are one.
    """
    last = name.replace("\\", "/").rstrip("/").rpartition("/")[2].casefold()
    stem, _, ending = last.rpartition(".")
    return stem if stem and ending in VIDEO_ENDINGS else last


def load_json(path: Path) -> Any:
    """The file's content; :class:`DatasetError` where there is none or it is not JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise DatasetError(f"{path} is not a JSON file.") from error
