"""What a source holds: one sentence on one video at a time, and what is wrong with the rest of its records."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from backend.db.segments import Segment, segment_of
from backend.prelabel.errors import Reason
from stvg_core.tube import Tube


@dataclass(frozen=True)
class Item:
    """One sentence that has to be grounded.

    Attributes:
        video_ref: the video's address: ``http(s)://``, ``s3://`` and others, ``file:///...``, ``/data/...``.
        sentence: normalised (:func:`stvg_core.query.normalise_query`).
        name: what the record is called inside the source, the same each time the source is read, also after records
            were added at its end.
        where: where the record stands, for messages: "tasks.csv, line 3 (record 2)".
        data: what a task with this item holds: ``video``, ``query`` and all further columns.
        truth: the dataset's own tube; None where it has none. Never shown to the model.
        line: of the file, from 1, where it has lines.
        size_bytes: of the video, where a listing said it.
        task, project: Label Studio's numbers, for items of a project there.
    """

    video_ref: str
    sentence: str
    name: str
    where: str
    data: dict[str, Any] = field(default_factory=dict)
    truth: Tube | None = None
    line: int | None = None
    size_bytes: int | None = None
    task: int | None = None
    project: int | None = None

    @property
    def segment(self) -> Segment | None:
        """The part of the video that the sentence is about; None for all of it."""
        return segment_of(self.data)


@dataclass(frozen=True)
class Problem:
    """A record that is left out, and why. ``said`` is a sentence, ``reason`` its kind."""

    where: str
    said: str
    reason: Reason = Reason.RECORD


@dataclass(frozen=True)
class Repeated:
    """An item with the video, the part of it and the sentence of one that came before, whose place is ``first``.

    ``other_truth``: it has a true tube, and another one.
    """

    item: Item
    first: str
    other_truth: bool = False


@dataclass(frozen=True)
class Note:
    """Nothing is left out, but a person should know."""

    where: str
    said: str


@dataclass(frozen=True)
class Named:
    """A record as a file has it, before its video is found. Attributes as of :class:`Item`; ``video`` is a name."""

    video: str
    sentence: str
    name: str
    where: str
    data: dict[str, Any] = field(default_factory=dict)
    truth: Tube | None = None
    line: int | None = None


Found = Item | Problem | Repeated | Note
Record = Named | Problem | Note
