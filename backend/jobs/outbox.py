"""How does a prediction reach Label Studio exactly once?

A delivery is claimed for a while, Label Studio is asked whether it has the prediction already (an earlier push whose
answer was lost, or a ``/predict`` reply that it kept), and only then is it pushed.
"""

from __future__ import annotations

from typing import Any, Protocol

from sqlalchemy.orm import Session

from backend.db import deliveries
from backend.db.engine import Database
from backend.db.tables import Delivery
from backend.jobs.payload import is_same, prediction_body
from backend.jobs.sending import CLAIM_S, Sender
from backend.labelstudio.config import LabelConfig, read_config
from stvg_core.errors import QueryError, StvgError
from stvg_core.query import normalise_query


class LabelStudio(Protocol):
    """The calls of Label Studio that a delivery needs."""

    def task(self, task_id: int) -> dict[str, Any]: ...
    def patch_task_data(self, task_id: int, data: dict[str, Any]) -> dict[str, Any]: ...
    def predictions(self, task_id: int) -> list[dict[str, Any]]: ...
    def create_prediction(self, payload: dict[str, Any], config: LabelConfig) -> dict[str, Any]: ...


class Outbox(Sender[Delivery]):
    """Pushes predictions that are due."""

    noun = "delivery"

    def __init__(self, database: Database, label_studio: LabelStudio, *, name: str, claim_s: float = CLAIM_S) -> None:
        super().__init__(database, name=name, claim_s=claim_s)
        self._label_studio = label_studio

    def _waiting(self, session: Session) -> bool:
        return deliveries.waiting(session)

    def _claim(self, session: Session) -> Delivery | None:
        return deliveries.claim(session, self._name, seconds=self._claim_s)

    def _send(self, row: Delivery) -> bool:
        number = self._push(row)
        with self._database.write() as session:
            deliveries.delivered(session, row.id, row.leased_by or "", number)
        return True

    def _number(self, row: Delivery) -> int:
        return row.id

    def _attempts(self, row: Delivery) -> int:
        return row.attempts

    def _postpone(self, session: Session, row: Delivery, reason: str, seconds: float) -> None:
        deliveries.postpone(session, row.id, row.leased_by or "", reason, seconds=seconds)

    def _give_up(self, session: Session, row: Delivery, reason: str) -> None:
        deliveries.give_up(session, row.id, row.leased_by or "", reason)

    def _push(self, delivery: Delivery) -> int | None:
        """Label Studio's number of the prediction, found or made."""
        prediction, task = delivery.prediction, delivery.task
        for stored in self._label_studio.predictions(task.ls_task_id):
            if is_same(stored, prediction):
                return _number(stored)
        config = read_config(task.project.label_config)
        data = self._label_studio.task(task.ls_task_id).get("data") or {}
        if _sentence(config.query_of(data)) != prediction.query:
            raise Superseded("The task has another sentence by now, so this prediction is not pushed to it.")
        if not config.has_frame_rate(data):
            changed = config.with_frame_rate(data, prediction.video.fps)
            self._label_studio.patch_task_data(task.ls_task_id, changed)
        body = {"task": task.ls_task_id, **prediction_body(prediction, config)}
        return _number(self._label_studio.create_prediction(body, config))


class Superseded(StvgError):
    """The task has changed since its prediction was asked for."""


def _number(stored: dict[str, Any]) -> int | None:
    number = stored.get("id")
    return number if isinstance(number, int) else None


def _sentence(value: str) -> str | None:
    try:
        return normalise_query(value)
    except QueryError:
        return None
