"""How does a prediction reach Label Studio exactly once?

A delivery is claimed for a while, Label Studio is asked whether it has the prediction already (an earlier push whose
answer was lost, or a ``/predict`` reply that it kept), and only then is it pushed. While Label Studio is away the rows
wait; the pauses grow up to ten minutes.
"""

from __future__ import annotations

import logging
from typing import Any, Protocol

from backend.db import deliveries
from backend.db.engine import Database
from backend.db.tables import Delivery
from backend.jobs.payload import is_same, prediction_body
from backend.labelstudio.config import LabelConfig, positive_number, read_config
from backend.labelstudio.transport import LabelStudioError
from stvg_core.errors import QueryError, StvgError
from stvg_core.query import normalise_query

logger = logging.getLogger(__name__)

CLAIM_S = 240.0
"""Longer than the few calls of one delivery with all their repetitions."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 600.0
_MAY_CHANGE = (401, 403, 408, 429)
"""Refusals that a person mends without touching the task: a new token, a right."""


class LabelStudio(Protocol):
    """The calls of Label Studio that a delivery needs."""

    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]: ...
    def predictions(self, task_id: int) -> list[dict[str, Any]]: ...
    def create_prediction(self, payload: dict[str, Any], config: LabelConfig) -> dict[str, Any]: ...


class Outbox:
    """Pushes what is due."""

    def __init__(self, database: Database, label_studio: LabelStudio, *, name: str, claim_s: float = CLAIM_S) -> None:
        self._database, self._label_studio, self._name, self._claim_s = database, label_studio, name, claim_s

    def deliver_due(self) -> int:
        """Push until nothing is due or Label Studio is away; returns how many arrived."""
        arrived = 0
        while True:
            with self._database.read() as session:
                if not deliveries.waiting(session):
                    return arrived
            with self._database.write() as session:
                delivery = deliveries.claim(session, self._name, seconds=self._claim_s)
            if delivery is None:
                return arrived
            try:
                number = self._push(delivery)
            except LabelStudioError as error:
                if error.temporary or error.status in _MAY_CHANGE:
                    self._postpone(delivery, str(error))
                    return arrived
                self._give_up(delivery, str(error))
            except StvgError as error:
                self._give_up(delivery, str(error))
            except Exception:
                logger.exception("delivery %d: internal error", delivery.id)
                self._give_up(
                    delivery, f"Internal error. The worker's log has the details under delivery {delivery.id}."
                )
            else:
                with self._database.write() as session:
                    deliveries.delivered(session, delivery.id, delivery.leased_by or "", number)
                arrived += 1

    def _push(self, delivery: Delivery) -> int | None:
        """Label Studio's number of the prediction, found or made."""
        prediction, task = delivery.prediction, delivery.task
        for stored in self._label_studio.predictions(task.ls_task_id):
            if is_same(stored, prediction):
                return _number(stored)
        config = read_config(task.project.label_config)
        data = self._label_studio.task(task.ls_task_id).get("data") or {}
        if _sentence(data.get(config.query_key)) != prediction.query:
            raise Superseded("The task has another sentence by now, so this prediction is not pushed to it.")
        key = config.frame_rate_key
        if key is not None and positive_number(data.get(key)) is None:
            self._label_studio.patch_task_data(task.ls_task_id, {**data, key: round(prediction.video.fps, 6)})
        body = {"task": task.ls_task_id, **prediction_body(prediction, config)}
        return _number(self._label_studio.create_prediction(body, config))

    def _postpone(self, delivery: Delivery, reason: str) -> None:
        pause = min(_FIRST_PAUSE_S * 2 ** (delivery.attempts - 1), _LONGEST_PAUSE_S)
        logger.warning("delivery %d waits %.0f s: %s", delivery.id, pause, reason)
        with self._database.write() as session:
            deliveries.postpone(session, delivery.id, delivery.leased_by or "", reason, seconds=pause)

    def _give_up(self, delivery: Delivery, reason: str) -> None:
        logger.warning("delivery %d failed: %s", delivery.id, reason)
        with self._database.write() as session:
            deliveries.give_up(session, delivery.id, delivery.leased_by or "", reason)


class Superseded(StvgError):
    """The task has changed since its prediction was asked for."""


def _number(stored: dict[str, Any]) -> int | None:
    number = stored.get("id")
    return number if isinstance(number, int) else None


def _sentence(value: object) -> str | None:
    try:
        return normalise_query(value) if isinstance(value, str) else None
    except QueryError:
        return None
