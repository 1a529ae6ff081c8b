"""Who judges labels, what did they decide, and who did what?"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from backend.db.tables.base import Base, LsId
from backend.db.tables.labels import Annotation
from backend.db.tables.tasks import Task
from backend.db.types import now


class Account(Base):
    """Somebody who may log in to the review pages. ``role``: annotator sees, reviewer decides, admin audits too.

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

    ``decision``: accepted, rejected, sent back, sent to another, undone. ``annotation_id`` is the version that was
    looked at, null where the suggestion itself was judged before anybody annotated. That Label Studio has to be told is
    a ``Delivery``.
    """

    __tablename__ = "review"

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), index=True)
    annotation_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"), index=True)
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    decision: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(64))
    comment: Mapped[str] = mapped_column(Text, default="")
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"), index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    reviewer: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(default=now)

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
