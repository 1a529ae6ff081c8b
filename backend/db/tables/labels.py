"""Which tubes are there? What the model found, what people saved, and how these differ."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.db.tables.base import Base, LsId
from backend.db.tables.tasks import Task, Video
from backend.db.types import now


class Prediction(Base):
    """A grounded sentence. ``identity`` = hash of (video content, normalised query, model version with its settings).

    ``keyframes`` is ``[[frame, x1, y1, x2, y2], ...]``, linear in between; all three tube columns are null where the
    video holds no candidate object (then ``score`` is 0). The evidence is ``Evidence.to_bytes()`` and its small facts.
    ``prompt`` as in the job: such a prediction answers for the box that was drawn. ``uncertainty`` in [0, 1] is null in
    rows from before it was stored.
    """

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("identity"), Index("ix_prediction_video_id", "video_id", "region_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(64))
    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"))
    query: Mapped[str] = mapped_column(Text)
    attribute_query: Mapped[str] = mapped_column(Text)
    action_query: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(String(255))
    region_id: Mapped[str] = mapped_column(String(32))
    score: Mapped[float]
    start_frame: Mapped[int | None]
    end_frame: Mapped[int | None]
    keyframes: Mapped[list[Any] | None]
    timings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    evidence: Mapped[bytes] = mapped_column(deferred=True)
    evidence_chosen: Mapped[int]
    evidence_consistency: Mapped[float | None]
    evidence_info: Mapped[dict[str, Any]] = mapped_column(default=dict)
    prompt: Mapped[dict[str, Any] | None]
    uncertainty: Mapped[float | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    video: Mapped[Video] = relationship()


class Annotation(Base):
    """One version of one human annotation. ``version`` counts arrivals; ``ls_updated_at`` says which is the latest.

    ``tubes`` is a list of ``{"region_id", "label", "intervals", "keyframes"}``: ``intervals`` are ``[first, last]``
    frames where the region is drawn, ``keyframes`` are ``[frame, x1, y1, x2, y2]``, linear in between. An object with a
    sentence of its own has ``"sentence"`` too; ``backend.annotations.read`` names the other keys and makes them from
    ``result``, Label Studio's own list. ``reader`` is the version of that rule, 0 in rows from before it was stored;
    where a newer rule, or what a worker found in the video, leads to another tube, it is a version of its own that
    names the row that it was read from (``reread_of``). ``deleted`` marks a tombstone, ``was_cancelled`` a skip;
    ``problem``: why tubes is empty. ``video_id``: the row of the content that the task's video had when it was saved
    (null until a worker has read it); where another file lies at the address now, the tube says nothing of that one.
    ``current``: the version that counts of its annotation
    (``backend.db.annotations.settle``); none does where it was deleted.
    """

    __tablename__ = "annotation"
    __table_args__ = (
        UniqueConstraint("digest"),
        UniqueConstraint("ls_annotation_id", "version"),
        Index("ix_annotation_task_id", "task_id", "current"),
        Index("ix_annotation_author_id", "author_id", "current", "task_id"),
        Index("ix_annotation_event_id", "event_id"),
        # All that the dashboard reads of a label, whose row is long and lies on the disk.
        Index(
            "ix_annotation_counts", "current", "was_cancelled", "task_id", "author_id", "prediction_id", "lead_time_s",
            "ls_updated_at", "received_at", "id",
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    ls_annotation_id: Mapped[LsId]
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"))
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    event_id: Mapped[int | None] = mapped_column(ForeignKey("event.id"))
    ls_parent_prediction: Mapped[LsId | None]
    author_id: Mapped[LsId | None]
    lead_time_s: Mapped[float | None]
    verdict: Mapped[str | None] = mapped_column(String(255))
    was_cancelled: Mapped[bool] = mapped_column(default=False)
    deleted: Mapped[bool] = mapped_column(default=False)
    tubes: Mapped[list[Any]] = mapped_column(default=list)
    result: Mapped[list[Any]] = mapped_column(default=list)
    problem: Mapped[str | None] = mapped_column(Text)
    reader: Mapped[int] = mapped_column(default=0, index=True)
    reread_of: Mapped[int | None]
    video_id: Mapped[int | None]
    current: Mapped[bool] = mapped_column(default=False)
    ls_created_at: Mapped[datetime | None]
    ls_updated_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(default=now)

    task: Mapped[Task | None] = relationship()
    prediction: Mapped[Prediction | None] = relationship()

    @property
    def outdated(self) -> bool:
        """Does another file lie at the video's address than when it was saved?"""
        return (
            self.task is not None
            and None not in (self.video_id, self.task.video_id)
            and (self.video_id != self.task.video_id)
        )


class Followed(Base):
    """What a worker found in a video for a box whose end was set on the timeline (``backend.annotations.wish.Wish``).

    ``identity`` = hash of (video content, wish). ``keyframes`` cover the frames that were wanted, linear in between;
    the object was seen from ``seen_first`` to ``seen_last``, elsewhere the nearest box is held.
    """

    __tablename__ = "followed"
    __table_args__ = (UniqueConstraint("identity"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(64))
    video_id: Mapped[int] = mapped_column(ForeignKey("video.id"))
    wish: Mapped[dict[str, Any]]
    keyframes: Mapped[list[Any]]
    seen_first: Mapped[int]
    seen_last: Mapped[int]
    created_at: Mapped[datetime] = mapped_column(default=now)


class Diff(Base):
    """One annotation version against the prediction that it came from, as ``backend.review.diff`` computes it.

    ``change`` is a kind of change. ``frame_ious`` holds one little-endian float16 per frame from ``first_frame`` on:
    the IoU, 0 where only one of the two is drawn, NaN where none is. Shifts are in frames, positive where the person's
    end is later. All but ``change`` are null where there is nothing to compare. ``object`` 0 answers the task's
    sentence; further objects of the same annotation, each with a ``sentence`` of its own, count from 1.
    """

    __tablename__ = "diff"
    __table_args__ = (
        UniqueConstraint("annotation_id", "object"),
        # As of the annotation: what the dashboard sums.
        Index("ix_diff_edits", "annotation_id", "prediction_id", "edits", "edits_from_nothing"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    annotation_id: Mapped[int] = mapped_column(ForeignKey("annotation.id"))
    object: Mapped[int] = mapped_column(default=0)
    sentence: Mapped[str | None] = mapped_column(Text)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    change: Mapped[str] = mapped_column(String(32))
    region_id: Mapped[str | None] = mapped_column(Text)
    tiou: Mapped[float | None]
    viou: Mapped[float | None]
    start_shift: Mapped[int | None]
    end_shift: Mapped[int | None]
    first_frame: Mapped[int | None]
    frame_ious: Mapped[bytes | None]
    edits: Mapped[int | None]
    edits_from_nothing: Mapped[int | None]
    created_at: Mapped[datetime] = mapped_column(default=now)

    annotation: Mapped[Annotation] = relationship()
    prediction: Mapped[Prediction | None] = relationship()
