"""Where does each task stand?"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from backend.db.tables.base import Base, LsId

DUE = "people > 1 AND (compared IS NULL OR compared <> said)"
"""Several people annotated it, and what is known of their disagreement is of other versions. Databases use the index
only where the question is written like this."""


class TaskState(Base):
    """Where a task stands. ``backend.db.task_state`` writes it in the transaction that changes what it says.

    A table of its own because its rows are short: filtering, sorting and counting a hundred thousand of them takes
    milliseconds, while a task's data may be long.

    Attributes:
        state: one of ``backend.db.task_state.STATES``.
        since: when the task came into its state.
        job_id: the newest question whose answer belongs to the task's suggestions (interactive ones do not).
        prediction_id: what the newest answered one found, with its model version, score, uncertainty, and when.
        annotation_id, author_id: the version that stands for the task, and who saved it.
        people: how many annotated it, skips left out.
        review_id, decision: the decision in force about that version, or about the suggestion where there is none.
        said: which versions speak about the task (their rows, or a hash of them); ``compared``: those that
            ``disagreement`` (1 - mean pairwise vIoU, null with fewer than two opinions) was computed for.
        versions_compared: the predictions of several model versions (their rows, or a hash of them) that
            ``versions_agree`` was computed for: the mean vIoU of the newest suggestion with those of the others, null
            without others. "" where fewer than two answered; null in rows from before it was stored.
    """

    __tablename__ = "task_state"
    __table_args__ = (
        Index("ix_task_state_state", "state", "project_id"),
        Index("ix_task_state_project_id", "project_id"),
        Index("ix_task_state_model_version", "model_version"),
        Index("ix_task_state_people", "people"),
        Index("ix_task_state_due", "task_id", sqlite_where=text(DUE), postgresql_where=text(DUE)),
    )

    task_id: Mapped[int] = mapped_column(ForeignKey("task.id"), primary_key=True, autoincrement=False)
    project_id: Mapped[LsId]
    state: Mapped[str] = mapped_column(String(16))
    since: Mapped[datetime]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id"))
    prediction_id: Mapped[int | None] = mapped_column(ForeignKey("prediction.id"))
    model_version: Mapped[str | None] = mapped_column(String(255))
    score: Mapped[float | None]
    uncertainty: Mapped[float | None]
    suggested_at: Mapped[datetime | None]
    annotation_id: Mapped[int | None] = mapped_column(ForeignKey("annotation.id"))
    author_id: Mapped[LsId | None]
    people: Mapped[int] = mapped_column(default=0)
    review_id: Mapped[int | None] = mapped_column(ForeignKey("review.id"))
    decision: Mapped[str | None] = mapped_column(String(16))
    said: Mapped[str] = mapped_column(String(64), default="")
    compared: Mapped[str | None] = mapped_column(String(64))
    disagreement: Mapped[float | None]
    versions_compared: Mapped[str | None] = mapped_column(String(64))
    versions_agree: Mapped[float | None]
