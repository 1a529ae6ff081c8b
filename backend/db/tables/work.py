"""What is to be done, who does it, and what came in? Each row of work is leased (``Leased``)."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.db.tables.base import Base, Leased, LsId
from backend.db.tables.labels import Prediction
from backend.db.tables.tasks import Task
from backend.db.types import now


class Job(Leased, Base):
    """One sentence to ground for one task: single-flight by ``identity``, held by at most one lease at a time.

    ``state``: queued, running, done, failed, cancelled. ``deliver`` is False for a question asked interactively, whose
    answer goes back in the reply and not into the task's list of predictions. ``prompt`` is
    ``{"frame", "box", "label"}`` where an annotator drew a box to be followed; with ``"wish"`` in it, a saved
    annotation wants it (``backend.annotations.wish.Wish``), in the background. ``segment`` is ``[first, last]`` where
    the sentence is about a part of the video (``backend.db.segments``). ``video_key`` is a hash of the project and the
    address: several sentences about one video can be taken together.
    """

    __tablename__ = "job"
    __table_args__ = (
        UniqueConstraint("identity"),
        Index("ix_job_lease", "state", "lease_until"),
        Index("ix_job_task_id", "task_id", "id"),
        Index("ix_job_video_key", "video_key", "state"),
        Index("ix_job_finished_at", "state", "finished_at"),
    )
    WAITING, HELD = "queued", "running"
    IN_LINE: ClassVar[str] = "in line"
    """The stage of a job that is held for its turn, behind others about the same video."""

    id: Mapped[int] = mapped_column(primary_key=True)
    identity: Mapped[str] = mapped_column(String(64))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    video_ref: Mapped[str] = mapped_column(Text)
    query: Mapped[str] = mapped_column(Text)
    model_version: Mapped[str] = mapped_column(String(255))
    video_key: Mapped[str] = mapped_column(String(64), default="")
    prompt: Mapped[dict[str, Any] | None]
    segment: Mapped[list[Any] | None]
    deliver: Mapped[bool] = mapped_column(default=True)
    priority: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(String(16), default="queued")
    progress: Mapped[float] = mapped_column(default=0.0)
    stage: Mapped[str] = mapped_column(String(64), default="")
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    created_at: Mapped[datetime] = mapped_column(default=now)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    task: Mapped[Task] = relationship()
    prediction: Mapped[Prediction | None] = relationship()

    @property
    def stage_now(self) -> str:
        return self.stage

    @property
    def begun(self) -> bool:
        return self.stage != self.IN_LINE


Index("ix_job_queue", Job.state, Job.priority.desc(), Job.id, Job.model_version)


class Delivery(Leased, Base):
    """The outbox: what Label Studio has to be told about a task, once.

    ``kind``: a ``prediction`` has to reach the task, one row for each; or the task's data have to say what a reviewer's
    ``decision`` was, one row per task, because what is told is what stands at that moment. ``state``: pending, sending,
    delivered, failed. ``handed_at`` is when a prediction was last given away in a ``/predict`` reply, which Label
    Studio may or may not have kept.
    """

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("prediction_id", "task_id"),
        Index("ix_delivery_queue", "state", "run_after", "id"),
        Index("ix_delivery_lease", "state", "lease_until"),
        Index("ix_delivery_task_id", "task_id"),
        Index(
            "uq_delivery_decision", "task_id", unique=True,
            sqlite_where=text("kind = 'decision'"), postgresql_where=text("kind = 'decision'"),
        ),
    )  # fmt: skip
    WAITING, HELD = "pending", "sending"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), default="prediction")
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"))
    state: Mapped[str] = mapped_column(String(16), default="pending")
    handed_at: Mapped[datetime | None]
    ls_prediction_id: Mapped[LsId | None] = mapped_column(index=True)
    created_at: Mapped[datetime] = mapped_column(default=now)
    delivered_at: Mapped[datetime | None]

    prediction: Mapped[Prediction | None] = relationship()
    task: Mapped[Task] = relationship()


class Event(Leased, Base):
    """A webhook body as it came, byte for byte, stored before Label Studio gets its reply.

    ``state``: new, reading, done, ignored (an action that changes nothing here), unknown_project, failed.
    """

    __tablename__ = "event"
    __table_args__ = (UniqueConstraint("sha256"), Index("ix_event_queue", "state", "id"))
    WAITING, HELD = "new", "reading"

    id: Mapped[int] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    project_id: Mapped[LsId | None]
    body: Mapped[bytes]
    state: Mapped[str] = mapped_column(String(16), default="new")
    received_at: Mapped[datetime] = mapped_column(default=now)
    processed_at: Mapped[datetime | None]


class Chore(Leased, Base):
    """Something that one of the workers does now and then, for all of them. ``state``: waiting, doing."""

    __tablename__ = "chore"
    __table_args__ = (UniqueConstraint("name"),)
    WAITING, HELD = "waiting", "doing"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(16), default="waiting")
    finished_at: Mapped[datetime | None]


class Calibration(Leased, Base):
    """One attempt to choose the joining's settings by corrections.

    ``base`` is the model version that it starts from, ``settings`` what changed (adopted ones only), ``report`` the
    figures before and after. ``state``: queued, running, adopted, refused, failed, reverted.
    """

    __tablename__ = "calibration"
    WAITING, HELD = "queued", "running"

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[LsId | None]
    base: Mapped[str] = mapped_column(String(255))
    looks: Mapped[str] = mapped_column(String(255), index=True)
    model_version: Mapped[str | None] = mapped_column(String(255))
    state: Mapped[str] = mapped_column(String(16), default="queued")
    requested_by: Mapped[str] = mapped_column(String(64), default="")
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    report: Mapped[dict[str, Any]] = mapped_column(default=dict)
    created_at: Mapped[datetime] = mapped_column(default=now)
    finished_at: Mapped[datetime | None]
