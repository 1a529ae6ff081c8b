"""What is labelled? Projects, their tasks, and the videos."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.db.tables.base import Base, LsId
from backend.db.types import now
from stvg_core.times import unpack_times


class Project(Base):
    """A Label Studio project that has introduced itself (``/setup``), or a local one.

    ``id`` is Label Studio's own number. A local project (``stvg prelabel``) has a negative number, so that it can never
    be one of Label Studio's, and a ``title``. ``hostname`` is the address that Label Studio calls itself by, None where
    it said none that holds elsewhere, and ``label_studio_url`` where ``stvg connect`` called the one that said it, None
    where that is not known. ``compared_until``: what people saved in Label Studio before this moment (by its
    clock) is known here.
    """

    __tablename__ = "project"

    id: Mapped[LsId] = mapped_column(primary_key=True, autoincrement=False)
    label_config: Mapped[str] = mapped_column(Text, default="")
    hostname: Mapped[str | None] = mapped_column(Text)
    label_studio_url: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str | None] = mapped_column(Text)
    compared_until: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    @property
    def local(self) -> bool:
        """No Label Studio knows it."""
        return self.id < 0


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
    """A Label Studio task: which video (as it names it), which sentence. ``video_id`` once the content is known.

    In a local project ``ls_task_id`` counts its tasks from 1. ``name`` is what the source of the task calls it, and
    ``truth`` the tube that the source says is right, ``{"keyframes": [[frame, x1, y1, x2, y2], ...]}`` as in a
    prediction, for ``stvg evaluate``; ``others`` in it names further records with this video and sentence whose tube is
    another one.
    """

    __tablename__ = "task"
    __table_args__ = (UniqueConstraint("project_id", "ls_task_id"), Index("ix_task_video_id", "video_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    project_id: Mapped[LsId] = mapped_column(ForeignKey("project.id"))
    ls_task_id: Mapped[LsId]
    video_ref: Mapped[str] = mapped_column(Text, default="")
    query: Mapped[str] = mapped_column(Text, default="")
    data: Mapped[dict[str, Any]] = mapped_column(default=dict)
    video_id: Mapped[int | None] = mapped_column(ForeignKey("video.id"))
    warning: Mapped[str | None] = mapped_column(Text)
    name: Mapped[str | None] = mapped_column(Text)
    truth: Mapped[dict[str, Any] | None]
    created_at: Mapped[datetime] = mapped_column(default=now)
    updated_at: Mapped[datetime] = mapped_column(default=now, onupdate=now)

    project: Mapped[Project] = relationship()
    video: Mapped[Video | None] = relationship()
