"""What does every format get? One label, and all labels of one video."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np

from backend.db.tables import Video
from backend.labelstudio.config import LabelConfig
from stvg_core.datasets.review_marks import MARK
from stvg_core.keyframes import Keyframe
from stvg_core.tube import Array, Tube

PIXEL_DIGITS = 2
"""Pixels are written to a hundredth: finer than anybody draws, coarser than the noise of float32."""


@dataclass(frozen=True)
class Record:
    """One label: a sentence and its tube in a video.

    Attributes:
        project_id, task_id, annotation_id: Label Studio's numbers; no annotation for an accepted suggestion.
        author_id: Label Studio's number of the person.
        video_ref: the video's address as the task has it.
        video: width, height, frame rate, frames, as probed.
        tube: the target's, filled where it was switched off; ``intervals`` are the frames on which it is drawn.
        keyframes: those whose straight lines are the tube.
        origin: "accepted" (the proposal as it was), "corrected", "drawn" (without a proposal), "suggested" (a
            reviewer accepted the proposal, nobody annotated), or "suggested, not reviewed" (nobody has looked at it).
        verdict: what the person said of the proposal; ``judged_wrong`` where that is something against it.
        moment: when the person saved it; of an accepted suggestion, when it was accepted; of one that nobody has
            looked at, when it was made.
        model_version: of the proposal that it came from, None for a tube drawn from nothing.
        config: the project's interface, None where it cannot hold a tube any more.
        data: the task's own data.
        decision: the reviewer's, in force about this version of the annotation; None where nobody decided.
        object: 0 answers the task's sentence; further objects of the annotation, each with its own ``query``, from 1.
        score: the model's, of a suggestion that nobody has looked at.
        marks: what a person should know of how the tube was read, kinds of ``backend.annotations.marks``.
    """

    project_id: int
    task_id: int
    annotation_id: int | None
    author_id: int | None
    video_ref: str
    video: Video
    query: str
    tube: Tube
    keyframes: tuple[Keyframe, ...]
    intervals: tuple[tuple[int, int], ...]
    label: str | None
    origin: str
    verdict: str | None
    judged_wrong: bool
    moment: datetime
    model_version: str | None
    config: LabelConfig | None
    data: dict[str, Any] = field(default_factory=dict)
    marks: tuple[str, ...] = ()
    object: int = 0
    decision: str | None = None
    score: float | None = None

    @property
    def unreviewed(self) -> bool:
        """A suggestion that nobody has looked at: no label."""
        return self.origin == MARK

    def mark(self) -> dict[str, str]:
        """What a format with named fields says of such a suggestion; nothing of a label."""
        return {"origin": self.origin} if self.unreviewed else {}

    @property
    def name(self) -> str:
        """The annotation's number; for a further object with its place in the annotation behind it ("12-2").

        A suggestion goes by its task ("task-7").
        """
        if self.annotation_id is None:
            return f"task-{self.task_id}"
        return str(self.annotation_id) if self.object == 0 else f"{self.annotation_id}-{self.object + 1}"

    @property
    def category(self) -> str:
        """The label, for formats in which every object needs a class."""
        return self.label or "object"

    def drawn(self) -> Array:
        """``(N,)`` bool: on which of the tube's frames is the box switched on?"""
        frames = self.tube.frames
        on = [(frames >= first) & (frames <= last) for first, last in self.intervals]
        return np.asarray(np.logical_or.reduce(on))

    def drawn_frames(self) -> list[int]:
        """The frames on which the box is switched on, 0-based, in order."""
        return [int(frame) for frame in self.tube.frames[self.drawn()]]

    def corners(self) -> list[list[float]]:
        """``x1, y1, x2, y2`` in pixels for each of the tube's frames."""
        size = (self.video.width, self.video.height, self.video.width, self.video.height)
        pixels = self.tube.boxes.astype(np.float64) * size
        return [[float(v) for v in row] for row in pixels.round(PIXEL_DIGITS)]

    def sizes(self) -> list[list[float]]:
        """``x, y, width, height`` in pixels for each of the tube's frames."""
        return [[x1, y1, _rounded(x2 - x1), _rounded(y2 - y1)] for x1, y1, x2, y2 in self.corners()]


@dataclass(frozen=True)
class VideoLabels:
    """All labels of one video.

    Attributes:
        name: the file name that it has in the dataset, its own; folders in front where that tells two apart.
        stem: a name without ending that every file system takes, its own too: for folders and for files about it.
        video: as probed.
        records: at least one, in order of project and task.
        address: the video's in Label Studio, as the first record's task has it.
    """

    name: str
    stem: str
    video: Video
    records: list[Record]
    address: str = ""


def _rounded(value: float) -> float:
    return float(round(value, PIXEL_DIGITS))
