"""How does a reviewer's decision reach the task in Label Studio?

The open edition has no comments and no review states. So the decision is written into the task's own data, where the
Data Manager shows it as columns, filters by it and the labelling interface can show it: ``review`` ("sent back" or
"rejected") and ``review_comment``. Both go away when the decision no longer stands.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy.orm import Session

from backend.db import tellings
from backend.db.engine import Database
from backend.db.tables import Review
from backend.jobs.sending import CLAIM_S, Sender
from backend.review import decisions

STATE_KEY, COMMENT_KEY = "review", "review_comment"


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]: ...


class Telling(Sender[Review]):
    """Writes decisions that are due."""

    noun = "decision"

    def __init__(self, database: Database, label_studio: LabelStudio, *, name: str, claim_s: float = CLAIM_S) -> None:
        super().__init__(database, name=name, claim_s=claim_s)
        self._label_studio = label_studio

    def _waiting(self, session: Session) -> bool:
        return tellings.waiting(session)

    def _claim(self, session: Session) -> Review | None:
        return tellings.claim(session, self._name, seconds=self._claim_s)

    def _send(self, row: Review) -> bool:
        return self._told(row, self._write(row))

    def _number(self, row: Review) -> int:
        return row.id

    def _attempts(self, row: Review) -> int:
        return row.told_attempts

    def _postpone(self, session: Session, row: Review, reason: str, seconds: float) -> None:
        tellings.postpone(session, row.id, row.told_leased_by or "", reason, seconds=seconds)

    def _give_up(self, session: Session, row: Review, reason: str) -> None:
        tellings.give_up(session, row.id, row.told_leased_by or "", reason)

    def _wanted(self, task_id: int) -> dict[str, str]:
        with self._database.read() as session:
            standing = decisions.standing(session, task_id)
        return {} if standing is None else shown_keys(standing)

    def _write(self, review: Review) -> dict[str, str]:
        """Make the task show what stands now, and leave all its other data as they are."""
        number = review.task.ls_task_id
        wanted = self._wanted(review.task_id)
        data = self._label_studio.task(number).get("data") or {}
        others = {key: value for key, value in data.items() if key not in (STATE_KEY, COMMENT_KEY)}
        if others | wanted != data:
            self._label_studio.patch_task_data(number, others | wanted)
        return wanted

    def _told(self, review: Review, shown: dict[str, str]) -> bool:
        """Done, unless something else stands by now: then once more."""
        still = self._wanted(review.task_id) == shown
        lease = review.told_leased_by or ""
        with self._database.write() as session:
            if not still:
                tellings.postpone(session, review.id, lease, None, seconds=0.0)
                return False
            return tellings.told(session, review.id, lease)


def shown_keys(review: Review) -> dict[str, str]:
    """What a task's data say of a decision in force: nothing of an acceptance."""
    if review.decision not in tellings.SHOWN:
        return {}
    said = f"{review.reason}: {review.comment}" if review.comment else str(review.reason)
    return {STATE_KEY: review.decision, COMMENT_KEY: f"{said}; by {review.reviewer}"}
