"""How does what is owed reach Label Studio, exactly once?

A row of the outbox is claimed for a while and sent; while Label Studio is away, rows wait, with pauses that grow up to
ten minutes. What it refuses for good ends with its reason; a refusal that a person mends without touching the task (a
new token, a right) waits as if Label Studio were away.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from backend.db import deliveries
from backend.db.engine import Database
from backend.db.tables import Delivery, Review
from backend.jobs.payload import is_same, prediction_body
from backend.jobs.renewing import renewing
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.transport import LabelStudioError
from backend.review import decisions
from stvg_core.errors import QueryError, StvgError
from stvg_core.query import normalise_query

logger = logging.getLogger(__name__)

CLAIM_S = 30.0
"""So long after its sender died a row is taken by another; while it is sent, the claim is renewed."""
_MOST_S = 240.0
"""Longer than the few calls for one row with all their repetitions."""

STATE_KEY, COMMENT_KEY, FOR_KEY = "review", "review_comment", "review_for"

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 600.0
_MAY_CHANGE = (401, 403, 408, 429)


class LabelStudio(Protocol):
    """The calls of Label Studio that are needed."""

    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]: ...
    def predictions(self, task_id: int) -> list[dict[str, Any]]: ...
    def create_prediction(self, payload: dict[str, Any], config: LabelConfig) -> dict[str, Any]: ...


class Superseded(StvgError):
    """The task has changed since its prediction was asked for."""


@dataclass(frozen=True)
class Outbox:
    """What sends.

    Attributes:
        name: of this process.
        claim_s: another process takes a row over that was not heard of for so long.
    """

    database: Database
    label_studio: LabelStudio
    name: str
    claim_s: float = CLAIM_S

    def send_due(self) -> int:
        """Send what is due until nothing is, or Label Studio is away; returns how many rows arrived."""
        return _send_due(self.database, self.label_studio, self.name, self.claim_s)


def _send_due(database: Database, label_studio: LabelStudio, name: str, claim_s: float) -> int:
    arrived = 0
    while True:
        with database.read() as session:
            if not deliveries.waiting(session):
                return arrived
        with database.write() as session:
            row = deliveries.claim(session, name, seconds=claim_s)
        if row is None:
            return arrived
        kept = renewing(database, Delivery, row.id, row.leased_by or "", seconds=claim_s, most_s=_MOST_S)
        try:
            with kept:
                arrived += _send(database, label_studio, row)
        except LabelStudioError as error:
            if error.temporary or error.status in _MAY_CHANGE:
                _wait(database, row, str(error))
                return arrived
            _fail(database, row, str(error))
        except StvgError as error:
            _fail(database, row, str(error))
        except Exception:
            logger.exception("delivery %d: internal error", row.id)
            _fail(database, row, f"Internal error. The worker's log has the details under delivery {row.id}.")


def _send(database: Database, label_studio: LabelStudio, row: Delivery) -> bool:
    """Send it and store that it arrived; False where it has to be sent once more."""
    if row.kind == deliveries.DECISION:
        return _told(database, row, _tell(database, label_studio, row))
    number = _push(label_studio, row)
    with database.write() as session:
        return deliveries.delivered(session, row.id, row.leased_by or "", number)


def _wait(database: Database, row: Delivery, reason: str) -> None:
    doublings = min(row.attempts - 1, 16)  # after a week of tries a power of two has no place in a float
    pause = min(_FIRST_PAUSE_S * 2**doublings, _LONGEST_PAUSE_S)
    logger.warning("delivery %d waits %.0f s: %s", row.id, pause, reason)
    with database.write() as session:
        deliveries.postpone(session, row.id, row.leased_by or "", reason, seconds=pause)


def _fail(database: Database, row: Delivery, reason: str) -> None:
    logger.warning("delivery %d failed: %s", row.id, reason)
    with database.write() as session:
        deliveries.give_up(session, row.id, row.leased_by or "", reason)


# Predictions. Label Studio is asked first whether it has this one already: an earlier push whose answer was lost, or a
# /predict reply that it kept.


def _push(label_studio: LabelStudio, delivery: Delivery) -> int | None:
    """Label Studio's number of the prediction, found or made."""
    prediction, task = delivery.prediction, delivery.task
    assert prediction is not None
    for stored in label_studio.predictions(task.ls_task_id):
        if is_same(stored, prediction):
            return _number(stored)
    config = read_config(task.project.label_config)
    data = label_studio.task(task.ls_task_id).get("data") or {}
    if _sentence(config.query_of(data)) != prediction.query:
        raise Superseded("The task has another sentence by now, so this prediction is not pushed to it.")
    if not config.has_frame_rate(data):
        label_studio.patch_task_data(task.ls_task_id, config.with_frame_rate(data, prediction.video.fps))
    body = {"task": task.ls_task_id, **prediction_body(prediction, config)}
    return _number(label_studio.create_prediction(body, config))


def _number(stored: dict[str, Any]) -> int | None:
    number = stored.get("id")
    return number if isinstance(number, int) else None


def _sentence(value: str) -> str | None:
    try:
        return normalise_query(value)
    except QueryError:
        return None


# Decisions. The open edition has no comments and no review states. So the decision is written into the task's own data,
# where the Data Manager shows it as columns, filters by it and the labelling interface can show it: "review" ("sent
# back" or "rejected"), "review_comment", and "review_for", who should mend it: a task cannot be assigned there. All go
# away when the decision no longer stands.


def _tell(database: Database, label_studio: LabelStudio, delivery: Delivery) -> dict[str, str]:
    """Make the task show what stands now, and leave all its other data as they are."""
    number = delivery.task.ls_task_id
    wanted = _wanted(database, delivery.task_id)
    data = label_studio.task(number).get("data") or {}
    others = {key: value for key, value in data.items() if key not in (STATE_KEY, COMMENT_KEY, FOR_KEY)}
    if others | wanted != data:
        label_studio.patch_task_data(number, others | wanted)
    return wanted


def _told(database: Database, delivery: Delivery, shown: dict[str, str]) -> bool:
    """Done, unless something else stands by now: then once more."""
    lease = delivery.leased_by or ""
    with database.write() as session:
        if _shown_now(session, delivery.task_id) != shown:
            deliveries.postpone(session, delivery.id, lease, None, seconds=0.0)
            return False
        return deliveries.delivered(session, delivery.id, lease)


def _wanted(database: Database, task_id: int) -> dict[str, str]:
    with database.read() as session:
        return _shown_now(session, task_id)


def _shown_now(session: Session, task_id: int) -> dict[str, str]:
    decided = decisions.standing(session, task_id)
    return {} if decided is None else shown_keys(decided)


def shown_keys(review: Review) -> dict[str, str]:
    """What a task's data say of a decision in force: nothing of an acceptance."""
    if review.decision not in deliveries.SHOWN:
        return {}
    said = f"{review.reason}: {review.comment}" if review.comment else str(review.reason)
    author = None if review.annotation is None else review.annotation.author_id
    whom = _for(review.decision, author)
    if review.decision == decisions.SENT_ON:
        said = f"{said}; for {whom}"  # labelling pages show the comment alone
    shown = {
        STATE_KEY: decisions.REJECTED if review.decision == decisions.REJECTED else decisions.SENT_BACK,
        COMMENT_KEY: f"{said}; by {review.reviewer}",
    }
    return shown if whom is None else shown | {FOR_KEY: whom}


def _for(decision: str, author: int | None) -> str | None:
    """Who should mend the label, by Label Studio's number of who made it; None for nobody in particular."""
    if decision == decisions.SENT_ON:
        return "somebody else" if author is None else f"somebody else than annotator {author}"
    return None if decision == decisions.REJECTED or author is None else f"annotator {author}"
