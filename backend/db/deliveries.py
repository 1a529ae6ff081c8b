"""Which predictions still have to reach Label Studio, and which way did each go?

A prediction reaches a task either in a ``/predict`` reply or by a push, never by both: each way first claims the row.
After a reply the row stays open until a look into Label Studio has found the prediction there.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db.engine import changed, insert_once
from backend.db.tables import Delivery, Prediction, Task
from backend.db.types import now, plain

STATES = ("pending", "sending", "delivered", "failed")


def owe(session: Session, prediction_id: int, task_id: int) -> None:
    """This prediction has to reach this task; saying so twice changes nothing."""
    insert_once(session, Delivery, ["prediction_id", "task_id"], prediction_id=prediction_id, task_id=task_id)


def hand_out(session: Session, prediction_id: int, task_id: int, *, window_s: float) -> bool:
    """Claim the right to answer ``/predict`` with this prediction; False for all but the first within ``window_s``."""
    owe(session, prediction_id, task_id)
    moment = now()
    before = moment - timedelta(seconds=window_s)
    claim = (
        update(Delivery)
        .where(Delivery.prediction_id == prediction_id, Delivery.task_id == task_id, Delivery.state != "sending")
        .where(or_(Delivery.handed_at.is_(None), Delivery.handed_at < before))
        .where(or_(Delivery.delivered_at.is_(None), Delivery.delivered_at < before))
        .values(state="pending", handed_at=moment, next_attempt_at=moment + timedelta(seconds=window_s))
    )
    return changed(session, claim)


def claim(session: Session, sender: str, *, seconds: float) -> Delivery | None:
    """Take the oldest delivery that is due, for ``seconds``; None when there is none."""
    moment = now()
    query = select(Delivery).where(_due(moment)).order_by(Delivery.next_attempt_at, Delivery.id).limit(1)
    row = session.scalars(query.with_for_update(skip_locked=True)).first()
    if row is None:
        return None
    row.attempts += 1
    row.state, row.next_attempt_at = "sending", moment + timedelta(seconds=seconds)
    row.leased_by = f"{sender}#{row.id}.{row.attempts}"
    session.flush()
    load = (
        joinedload(Delivery.prediction).joinedload(Prediction.video),
        joinedload(Delivery.task).joinedload(Task.project),
    )
    return session.scalars(select(Delivery).where(Delivery.id == row.id).options(*load)).one()


def waiting(session: Session) -> bool:
    """Is anything due? A look that takes no lock."""
    return session.scalar(select(Delivery.id).where(_due(now())).limit(1)) is not None


def delivered(session: Session, delivery_id: int, lease_name: str, ls_prediction_id: int | None) -> bool:
    """It is in Label Studio now, under this number."""
    values = {"state": "delivered", "ls_prediction_id": ls_prediction_id, "delivered_at": now(), "reason": None}
    return changed(session, update(Delivery).where(_held(delivery_id, lease_name)).values(leased_by=None, **values))


def postpone(session: Session, delivery_id: int, lease_name: str, reason: str, *, seconds: float) -> bool:
    """It did not get through; try again after ``seconds``."""
    later = now() + timedelta(seconds=seconds)
    values = {"state": "pending", "next_attempt_at": later, "reason": plain(reason)}
    return changed(session, update(Delivery).where(_held(delivery_id, lease_name)).values(leased_by=None, **values))


def give_up(session: Session, delivery_id: int, lease_name: str, reason: str) -> bool:
    """It cannot get through: the task is gone, or the interface has no place for it."""
    values = {"state": "failed", "reason": plain(reason)}
    return changed(session, update(Delivery).where(_held(delivery_id, lease_name)).values(leased_by=None, **values))


def counts(session: Session) -> dict[str, int]:
    """Deliveries per state."""
    found = dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).tuples().all())
    return {state: found.get(state, 0) for state in STATES}


def origin(session: Session, task_id: int, *, ls_prediction_id: int | None, region_ids: list[str]) -> int | None:
    """The prediction that an annotation of this task began from: by Label Studio's number, else by a region's id."""
    if ls_prediction_id is not None:
        known = select(Delivery.prediction_id).where(
            Delivery.task_id == task_id, Delivery.ls_prediction_id == ls_prediction_id
        )
        found = session.scalar(known)
        if found is not None:
            return found
    by_region = (
        select(Prediction.id)
        .join(Task, Task.video_id == Prediction.video_id)
        .where(Task.id == task_id, Prediction.region_id.in_(region_ids))
        .order_by(Prediction.id.desc())
        .limit(1)
    )
    return session.scalar(by_region) if region_ids else None


def _due(moment: datetime) -> ColumnElement[bool]:
    return and_(Delivery.state.in_(("pending", "sending")), Delivery.next_attempt_at <= moment)


def _held(delivery_id: int, lease_name: str) -> ColumnElement[bool]:
    return and_(Delivery.id == delivery_id, Delivery.leased_by == lease_name, Delivery.state == "sending")
