"""What does the database remember?

One class per table. Rows about people's work (``event``, ``annotation``) are never overwritten: a correction is a new
version. Boxes are normalised xyxy and frames 0-based everywhere, as inside ``stvg_core``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, MetaData, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from backend.db.types import Json, UtcTime, now
from stvg_core.times import unpack_times

# Named constraints, so that migrations can drop them on both databases.
NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


LsId = Annotated[int, mapped_column(BigInteger)]
"""A number that Label Studio gave."""


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        datetime: UtcTime,
        dict[str, Any]: Json,
        list[Any]: Json,
        bytes: LargeBinary,
    }


class Project(Base):
    """A Label Studio project that has introduced itself (``/setup``). ``id`` is Label Studio's own number.

    ``hostname`` is the address that Label Studio calls itself by, None where it said none that holds elsewhere.
    """

    __tablename__ = "project"

    id: Mapped[LsId] = mapped_column(primary_key=True, autoincrement=False)
    label_config: Mapped[str] = mapped_column(Text, default="")
    hostname: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Video(Base):
    """A video's content and what the probe says of it. ``sha256`` is of the file's bytes.

    ``frame_times`` are a variable-rate video's own (``stvg_core.times``); null for an even rate, and in rows from
    before they were stored: ``stvg sync`` reads those videos again.
    """

    __tablename__ = "video"
    __table_args__ = (UniqueConstraint("sha256"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    width: Mapped[int]
    height: Mapped[int]
    fps_num: Mapped[int]
    fps_den: Mapped[int]
    n_frames: Mapped[int]
    duration_s: Mapped[float]
    size_bytes: Mapped[int] = mapped_column(BigInteger)
    variable_rate: Mapped[bool] = mapped_column(default=False)
    warnings: Mapped[list[Any]] = mapped_column(default=list)
    frame_times: Mapped[bytes | None] = mapped_column(deferred=True)
    created_at: Mapped[datetime] = mapped_column(default=now)

    @property
    def fps(self) -> float:
        """Average frames per second."""
        return self.fps_num / self.fps_den

    @property
    def times_known(self) -> bool:
        """False where the rate varies and the row is from before the times were stored."""
        return not self.variable_rate or self.frame_times is not None

    def times(self) -> NDArray[np.float64] | None:
        """``(n_frames,)`` seconds of a variable-rate video; None for an even rate, and where they are not known."""
        return unpack_times(self.frame_times) if self.variable_rate and self.frame_times is not None else None

    def seconds_of(self, frame: int) -> float | None:
        """When a frame is shown, in seconds from the first; None where that is not known."""
        if not self.variable_rate:
            return frame * self.fps_den / self.fps_num
        times = self.times()
        return None if times is None else float(times[frame])


class Task(Base):
    """A Label Studio task: which video (as it names it), which sentence. ``video_id`` once the content is known."""

    __tablename__ = "task"
    __table_args__ = (UniqueConstraint("project_id", "ls_task_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[LsId] = mapped_column(ForeignKey("project.id"))
    ls_task_id: Mapped[LsId]
    video_ref: Mapped[str] = mapped_column(Text, default="")
    query: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    video_id: Mapped[int | None] = mapped_column(ForeignKey("video.id"))
    warning: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    project: Mapped[Project] = relationship()
    video: Mapped[Video | None] = relationship()


class Job(Base):
    """One sentence to ground for one task: single-flight by ``identity``, held by at most one lease at a time.

    ``state``: queued, running, done, failed. ``deliver`` is False for a question asked interactively, whose answer goes
    back in the reply and not into the task's list of predictions. ``prompt`` is ``{"frame", "box", "label"}`` where an
    annotator drew a box to be followed; with ``"wish"`` in it, a saved annotation wants it
    (``backend.annotations.wish.Wish``), in the background.
    """

    __tablename__ = "job"
    __table_args__ = (UniqueConstraint("identity"), Index("ix_job_queue", "state", "priority", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    video_ref: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(String(255))
    prompt: Mapped[dict[str, Any] | None]
    deliver: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    attempts: Mapped[int] = mapped_column(default=0)
    run_after: Mapped[datetime] = mapped_column(default=now)
    leased_by: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(String(64), default="")
    reason: Mapped[str | None] = mapped_column(Text)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    task: Mapped[Task] = relationship()
    prediction: Mapped[Prediction | None] = relationship()


class Prediction(Base):
    """A grounded sentence. ``identity`` = hash of (video content, normalised query, model version with its settings).

    ``keyframes`` is ``[[frame, x1, y1, x2, y2], ...]``, linear in between; all three tube columns are null where the
    video holds no candidate object (then ``score`` is 0). The evidence is ``Evidence.to_bytes()`` and its small facts.
    ``prompt`` as in the job: such a prediction answers for the box that was drawn. ``uncertainty`` in [0, 1] is null in
    rows from before it was stored.
    """

    __tablename__ = "prediction"
    __table_args__ = (UniqueConstraint("identity"),)

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


class Delivery(Base):
    """The outbox: this prediction has to reach this task in Label Studio, once.

    ``state``: pending, sending, delivered, failed. ``handed_at`` is when it was last given away in a ``/predict``
    reply, which Label Studio may or may not have kept.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("prediction_id", "task_id"),
        Index("ix_delivery_queue", "state", "next_attempt_at"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("prediction.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime] = mapped_column(default=now)
    leased_by: Mapped[str | None] = mapped_column(String(128))
    handed_at: Mapped[datetime | None]
    ls_prediction_id: Mapped[LsId | None] = mapped_column(index=True)
    reason: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(default=now)
    delivered_at: Mapped[datetime | None]

    prediction: Mapped[Prediction] = relationship()
    task: Mapped[Task] = relationship()


class Event(Base):
    """A webhook body as it came, byte for byte, stored before Label Studio gets its reply.

    ``state``: new, done, ignored (an action that changes nothing here), unknown_project, failed.
    """

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("sha256"), Index("ix_event_queue", "state", "id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    project_id: Mapped[LsId | None]
    body: Mapped[bytes]
    state: Mapped[str] = mapped_column(String(16), default="new")
    attempts: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(Text)
    received_at: Mapped[datetime] = mapped_column(default=now)
    processed_at: Mapped[datetime | None]


class Annotation(Base):
    """One version of one human annotation. ``version`` counts arrivals; ``ls_updated_at`` says which is the latest.

    ``tubes`` is a list of ``{"region_id", "label", "intervals", "keyframes"}``: ``intervals`` are ``[first, last]``
    frames where the region is drawn, ``keyframes`` are ``[frame, x1, y1, x2, y2]``, linear in between. An object with a
    sentence of its own has ``"sentence"`` too; ``backend.annotations.read`` names the other keys and makes them from
    ``result``, Label Studio's own list. ``reader`` is the version of that rule, 0 in rows from before it was stored;
    where a newer rule, or what a worker found in the video, leads to another tube, it is a version of its own that
    names the row that it was read from (``reread_of``). ``deleted`` marks a tombstone, ``was_cancelled`` a skip;
    ``problem``: why tubes is empty.
    """

    __tablename__ = "annotation"
    __table_args__ = (UniqueConstraint("digest"), UniqueConstraint("ls_annotation_id", "version"))

    id: Mapped[int] = mapped_column(primary_key=True)
    ls_annotation_id: Mapped[LsId]
    version: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[int | None] = mapped_column(ForeignKey("task.id"), index=True)
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
    ls_created_at: Mapped[datetime | None]
    ls_updated_at: Mapped[datetime | None]
    received_at: Mapped[datetime] = mapped_column(default=now)

    task: Mapped[Task | None] = relationship()
    prediction: Mapped[Prediction | None] = relationship()


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
    __table_args__ = (UniqueConstraint("annotation_id", "object"),)

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


class Account(Base):
    """Somebody who may log in to the review pages. ``role``: annotator sees, reviewer decides, admin exports too.

    ``session_key`` is part of every session: a new one ends them all. ``ls_user_id`` is who this is in Label Studio.
    """

    __tablename__ = "account"
    __table_args__ = (UniqueConstraint("name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    password_hash: Mapped[str] = mapped_column(Text)
    role: Mapped[str] = mapped_column(String(16))
    disabled: Mapped[bool] = mapped_column(default=False)
    session_key: Mapped[str] = mapped_column(String(64))
    ls_user_id: Mapped[LsId | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)


class Review(Base):
    """One decision about a task's label. Nothing is overwritten: taking one back is a row too (``undoes_id``).

    ``decision``: accepted, rejected, sent back, undone. ``annotation_id`` is the version that was looked at, null where
    the suggestion itself was judged before anybody annotated. ``told_state`` is the outbox towards Label Studio: null
    where there is nothing to tell, else pending, sending, told or failed (``told_reason``).
    """

    __tablename__ = "review"
    __table_args__ = (Index("ix_review_told", "told_state", "told_next_at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    annotation_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"), index=True)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    decision: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    comment: Mapped[str] = mapped_column(Text, default="")
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"))
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    reviewer: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)
    told_state: Mapped[str | None] = mapped_column(String(16))
    told_attempts: Mapped[int] = mapped_column(default=0)
    told_next_at: Mapped[datetime | None]
    told_leased_by: Mapped[str | None] = mapped_column(String(128))
    told_reason: Mapped[str | None] = mapped_column(Text)

    task: Mapped[Task] = relationship()
    annotation: Mapped[Annotation | None] = relationship()


class Audit(Base):
    """Who did what on the pages and by the commands that act for a person. Rows are only ever added."""

    __tablename__ = "audit"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(default=now, index=True)
    who: Mapped[str] = mapped_column(String(64))
    role: Mapped[str | None] = mapped_column(String(16))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(Text, default="")
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    address: Mapped[str | None] = mapped_column(String(64))


class Calibration(Base):
    """One attempt to choose the joining's settings by corrections.

    ``base`` is the model version that it starts from, ``settings`` what changed (adopted ones only), ``report`` the
    figures before and after. ``state``: queued, running, adopted, refused, failed, reverted.
    """

    __tablename__ = "calibration"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[LsId | None]
    base: Mapped[str] = mapped_column(String(255))
    looks: Mapped[str] = mapped_column(String(255), index=True)
    model_version: Mapped[str | None] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    requested_by: Mapped[str] = mapped_column(String(64), default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str | None] = mapped_column(Text)
    leased_by: Mapped[str | None] = mapped_column(String(128))
    lease_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
