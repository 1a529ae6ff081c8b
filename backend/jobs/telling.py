"""How does a reviewer's decision reach the task in Label Studio?

The open edition has no comments and no review states. So the decision is written into the task's own data, where the
Data Manager shows it as columns, filters by it and the labelling interface can show it: ``review`` ("sent back" or
"rejected") and ``review_comment``. Both go away when the decision no longer stands. While Label Studio is away the rows
wait; the pauses grow up to ten minutes.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from backend.db import tellings
from backend.db.engine import Database
from backend.db.tables import Review
from backend.labelstudio.transport import LabelStudioError
from backend.review import decisions

logger = logging.getLogger(__name__)

STATE_KEY, COMMENT_KEY = "review", "review_comment"

CLAIM_S = 240.0
"""Longer than the two calls with all their repetitions."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 600.0
_MAY_CHANGE = (401, 403, 408, 429)
"""Refusals that a person mends without touching the task: a new token, a right."""


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]: ...


class Telling:
    """Writes what is due."""

    def __init__(self, database: Database, label_studio: LabelStudio, *, name: str, claim_s: float = CLAIM_S) -> None:
        self._database, self._label_studio, self._name, self._claim_s = database, label_studio, name, claim_s

    def tell_due(self) -> int:
        """Write until nothing is due or Label Studio is away; returns how many decisions were told."""
        count = 0
        while True:
            with self._database.read() as session:
                if not tellings.waiting(session):
                    return count
            with self._database.write() as session:
                review = tellings.claim(session, self._name, seconds=self._claim_s)
            if review is None:
                return count
            try:
                shown = self._write(review)
            except LabelStudioError as error:
                if error.temporary or error.status in _MAY_CHANGE:
                    self._postpone(review, str(error))
                    return count
                self._give_up(review, str(error))
            except Exception:
                logger.exception("telling of decision %d: internal error", review.id)
                self._give_up(review, f"Internal error. The worker's log has the details under decision {review.id}.")
            else:
                count += self._told(review, shown)

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

    def _postpone(self, review: Review, reason: str) -> None:
        pause = min(_FIRST_PAUSE_S * 2 ** (review.told_attempts - 1), _LONGEST_PAUSE_S)
        logger.warning("telling of decision %d waits %.0f s: %s", review.id, pause, reason)
        with self._database.write() as session:
            tellings.postpone(session, review.id, review.told_leased_by or "", reason, seconds=pause)

    def _give_up(self, review: Review, reason: str) -> None:
        logger.warning("telling of decision %d failed: %s", review.id, reason)
        with self._database.write() as session:
            tellings.give_up(session, review.id, review.told_leased_by or "", reason)


def shown_keys(review: Review) -> dict[str, str]:
    """What a task's data say of a decision in force: nothing of an acceptance."""
    if review.decision not in tellings.SHOWN:
        return {}
    said = f"{review.reason}: {review.comment}" if review.comment else str(review.reason)
    return {STATE_KEY: review.decision, COMMENT_KEY: f"{said}; by {review.reviewer}"}
