"""What is compared: a true tube and a predicted one, both in pixels of the same picture."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from stvg_core.datasets.base import video_stem
from stvg_core.datasets.hcstvg import HcStvgRecord
from stvg_core.datasets.vidstg import VidStgRecord
from stvg_core.text import key as text_key
from stvg_core.tube import Array, Tube

Key = tuple[str, str]
"""A video's and a sentence's name in common, see :func:`key`."""


class Origin(StrEnum):
    """Where a truth comes from: the protocols read the ends of the interval differently by dataset."""

    HCSTVG = "hcstvg"
    VIDSTG = "vidstg"
    CORRECTION = "correction"


@dataclass(frozen=True)
class Truth:
    """One sentence and its true tube.

    Attributes:
        video, sentence: as the dataset has them.
        origin: decides how the protocols read the interval.
        first, last: the tube's frames, 0-based, both included.
        frames, boxes: ``(N,)`` int64 and ``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels: the true boxes. Frames may be
            missing; VidSTG may have one more, on the exclusive end ``last + 1``.
        size: ``(width, height)`` of the picture in pixels.
        fps: of the video; ``n_frames``: frames in it.
        segment: first and last frame of the part of the video that belongs to the sentence.
        kind, category, n_objects: "declarative" or "interrogative", the target's class, and how many objects are
            annotated in the video; None where the dataset does not say.
        seconds: how long the tube lasts, where the frame rate varies; None where ``fps`` says it.
        size_known: False where the boxes are known as shares of the picture alone, and ``size`` is only assumed.
    """

    video: str
    sentence: str
    origin: Origin
    first: int
    last: int
    frames: Array
    boxes: Array
    size: tuple[int, int]
    fps: float
    n_frames: int
    segment: tuple[int, int]
    kind: str | None = None
    category: str | None = None
    n_objects: int | None = None
    seconds: float | None = None
    size_known: bool = True

    @property
    def key(self) -> Key:
        return key(self.video, self.sentence)

    @property
    def length_s(self) -> float:
        return self.seconds if self.seconds is not None else (self.last - self.first + 1) / self.fps

    @property
    def area_share(self) -> float:
        """Mean area of the true boxes as a share of the picture's."""
        sides = np.clip(self.boxes[:, 2:] - self.boxes[:, :2], 0.0, None)
        return float(sides.prod(axis=1).mean()) / (self.size[0] * self.size[1])

    @classmethod
    def of_hcstvg(cls, record: HcStvgRecord) -> Truth:
        """HC-STVG is about people; its clips last 20 s, whatever ``img_num`` is."""
        label = record.label()
        return cls(
            label.video, record.caption, Origin.HCSTVG, int(label.frames[0]), int(label.frames[-1]), label.frames,
            label.boxes, (record.width, record.height), record.n_frames / 20, record.n_frames,
            (0, record.n_frames - 1), category="person",
        )  # fmt: skip

    @classmethod
    def of_vidstg(cls, record: VidStgRecord) -> Truth:
        return cls(
            record.video, record.sentence, Origin.VIDSTG, record.start, record.end - 1, record.frames, record.boxes,
            (record.width, record.height), record.fps, record.n_frames, record.segment, record.kind,
            record.category or None, record.n_objects,
        )  # fmt: skip

    @classmethod
    def of_tube(
        cls, video: str, sentence: str, tube: Tube, *, size: tuple[int, int], fps: float, n_frames: int,
        category: str | None = None, seconds: float | None = None, size_known: bool = True,
    ) -> Truth:  # fmt: skip
        """A corrected tube; its first and last frame are both part of it."""
        boxes = tube.boxes.astype(np.float64) * (*size, *size)
        return cls(
            video, sentence, Origin.CORRECTION, tube.start_frame, tube.end_frame, tube.frames, boxes, size, fps,
            n_frames, (0, n_frames - 1), category=category, seconds=seconds, size_known=size_known,
        )  # fmt: skip


@dataclass(frozen=True)
class Prediction:
    """What was predicted for one sentence.

    Attributes:
        first, last: the tube's frames, 0-based, both included; None where no tube was found.
        frames, boxes: ``(N,)`` int64 increasing and ``(N, 4)`` float64 ``x1, y1, x2, y2`` in pixels of the truth's
            picture, or of one of ``size``. Boxes outside ``first`` to ``last`` count in gt_vIoU only.
        segment: the part of the video that was looked at, where the prediction is for that part alone.
        raw_ends: the interval in the evaluating protocol's own convention, as the authors' programs store it
            (``sted``); used in place of ``first`` and ``last``.
        model_version: whose prediction it is; "" where that is not known.
        size: ``(width, height)`` of the picture that the boxes are pixels of; None where that is not said.
    """

    video: str
    sentence: str
    first: int | None
    last: int | None
    frames: Array
    boxes: Array
    segment: tuple[int, int] | None = None
    raw_ends: tuple[int, int] | None = None
    model_version: str = ""
    size: tuple[int, int] | None = None

    @property
    def key(self) -> Key:
        return key(self.video, self.sentence)

    @classmethod
    def of_tube(
        cls, video: str, sentence: str, tube: Tube | None, size: tuple[int, int], model_version: str = ""
    ) -> Prediction:
        """A tube, or that there is none; ``size`` is ``(width, height)`` of the picture in pixels."""
        if tube is None:
            nothing = np.zeros(0, dtype=np.int64), np.zeros((0, 4))
            return cls(video, sentence, None, None, *nothing, model_version=model_version, size=size)
        boxes = tube.boxes.astype(np.float64) * (*size, *size)
        ends = tube.start_frame, tube.end_frame
        return cls(video, sentence, *ends, tube.frames, boxes, model_version=model_version, size=size)


def key(video: str, sentence: str) -> Key:
    """Case and spaces of a sentence do not matter, nor folder and ending of a video's name.

    In which way an accent is written and characters that nobody sees do not matter either.
    """
    return video_stem(video), text_key(sentence)
