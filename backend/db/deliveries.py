"""What does Label Studio still have to be told, and which way did each prediction go?

A prediction reaches a task either in a ``/predict`` reply or by a push, never by both: each way first claims the row.
After a reply the row stays open until a look into Label Studio has found the prediction there. A decision has one row
per task: what is told is what stands when it is told, so late or doubled tellings do no harm.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import lease as leases
from backend.db.clock import moment
from backend.db.engine import changed, insert_once
from backend.db.tables import Delivery, Prediction, Task
from backend.db.task_state import REJECTED, SENT_BACK
from backend.db.types import now

PREDICTION, DECISION = "prediction", "decision"
PENDING, SENDING, DELIVERED, FAILED = "pending", "sending", "delivered", "failed"
STATES = (PENDING, SENDING, DELIVERED, FAILED)
SHOWN = (REJECTED, SENT_BACK)
"""Decisions that a task shows in Label Studio for as long as they stand."""


def owe(session: Session, prediction_id: int, task_id: int) -> None:
    """This prediction has to reach this task; saying so twice changes nothing."""
    insert_once(session, Delivery, ["prediction_id", "task_id"], prediction_id=prediction_id, task_id=task_id)


def hand_out(session: Session, prediction_id: int, task_id: int, *, window_s: float) -> bool:
    """Claim the right to answer ``/predict`` with this prediction; False for all but the first within ``window_s``."""
    owe(session, prediction_id, task_id)
    at = moment(session)
    before = at - timedelta(seconds=window_s)
    claim = (
        update(Delivery)
        .where(Delivery.prediction_id == prediction_id, Delivery.task_id == task_id, Delivery.state != SENDING)
        .where(or_(Delivery.handed_at.is_(None), Delivery.handed_at < before))
        .where(or_(Delivery.delivered_at.is_(None), Delivery.delivered_at < before))
        .values(state=PENDING, handed_at=at, run_after=at + timedelta(seconds=window_s))
    )
    return changed(session, claim)


def tell_decision(session: Session, task_id: int, decision: str) -> None:
    """A new decision has to be told if it is shown, or if the task may show an older one."""
    if decision in SHOWN:
        insert_once(session, Delivery, None, kind=DECISION, task_id=task_id, prediction_id=None)
    tell_again(session, task_id)


def tell_again(session: Session, *task_ids: int | None) -> None:
    """A task's label, suggestion or decision is another one now: what it shows in Label Studio may no longer hold."""
    numbers = sorted({number for number in task_ids if number is not None})
    if not numbers:
        return
    mine = Delivery.task_id.in_(numbers) & (Delivery.kind == DECISION)
    session.execute(update(Delivery).where(mine).values(state=PENDING, **leases.reopened(), lease_until=None))


def decision_of(session: Session, task_id: int) -> Delivery | None:
    """How far the telling of a task's decisions is, None where there never was one to tell."""
    mine = (Delivery.task_id == task_id) & (Delivery.kind == DECISION)
    return session.scalars(select(Delivery).where(mine)).one_or_none()


def claim(session: Session, sender: str, *, seconds: float, kind: str | None = None) -> Delivery | None:
    """Take the oldest that is due, for ``seconds``, with its task and prediction; None when there is none.

    A delivery whose sender is gone is never given up for it: what was half sent is found there and not sent twice.
    """
    query = select(Delivery).order_by(Delivery.run_after.asc().nulls_first(), Delivery.id)
    if kind is not None:
        query = query.where(Delivery.kind == kind)
    taken, _ = leases.take(session, query, Delivery, sender, seconds=seconds, max_deaths=2**31)
    if not taken:
        return None
    load = (
        joinedload(Delivery.prediction).joinedload(Prediction.video),
        joinedload(Delivery.task).joinedload(Task.project),
    )
    return session.scalars(select(Delivery).where(Delivery.id == taken[0].id).options(*load)).one()


def waiting(session: Session) -> bool:
    """Is anything due? A look that takes no lock."""
    return leases.waiting(session, Delivery)


def delivered(session: Session, delivery_id: int, lease_name: str, ls_prediction_id: int | None = None) -> bool:
    """It is in Label Studio now, under this number."""
    values = {"ls_prediction_id": ls_prediction_id, "delivered_at": now(), "reason": None}
    return leases.release(session, Delivery, delivery_id, lease_name, state=DELIVERED, **values)


def postpone(session: Session, delivery_id: int, lease_name: str, reason: str | None, *, seconds: float) -> bool:
    """It did not get through; try again after ``seconds``."""
    return leases.postpone(session, Delivery, delivery_id, lease_name, reason, seconds=seconds)


def give_up(session: Session, delivery_id: int, lease_name: str, reason: str) -> bool:
    """It cannot get through: the task is gone, or the interface has no place for it."""
    return leases.give_up(session, Delivery, delivery_id, lease_name, reason)


def counts(session: Session) -> dict[str, int]:
    """Deliveries per state."""
    found = dict(session.execute(select(Delivery.state, func.count()).group_by(Delivery.state)).tuples().all())
    return {state: found.get(state, 0) for state in STATES}


def by_number(
    session: Session, ls_prediction_ids: Collection[int], task_ids: Collection[int]
) -> dict[tuple[int, int], int]:
    """The predictions that these tasks got under Label Studio's numbers, by task and number."""
    if not ls_prediction_ids or not task_ids:
        return {}
    mine = Delivery.ls_prediction_id.in_(sorted(ls_prediction_ids)), Delivery.task_id.in_(sorted(task_ids))
    query = select(Delivery.task_id, Delivery.ls_prediction_id, Delivery.prediction_id).where(*mine)
    rows = session.execute(query.order_by(Delivery.id))
    return {
        (task, number): prediction for task, number, prediction in rows if number is not None and prediction is not None
    }
