"""What does Label Studio still have to be told, and which way did each prediction go?

A prediction reaches a task either in a ``/predict`` reply or by a push, never by both: each way first claims the row.
After a reply the row stays open until a look into Label Studio has found the prediction there. A decision has one row
per task: what is told is what stands when it is told, so late or doubled tellings do no harm.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, bindparam, func, select, update
from sqlalchemy.orm import Session, joinedload

from backend.db import lease as leases
from backend.db.clock import moment
from backend.db.engine import chunks, expire, insert_missing, insert_once
from backend.db.tables import Base, Delivery, Prediction, Task
from backend.db.task_state import REFUSALS

PREDICTION, DECISION = "prediction", "decision"
PENDING, SENDING, DELIVERED, FAILED = "pending", "sending", "delivered", "failed"
STATES = (PENDING, SENDING, DELIVERED, FAILED)
SHOWN = REFUSALS
"""Decisions that a task shows in Label Studio for as long as they stand."""


Pair = tuple[int, int]
"""The row of a prediction, the row of a task."""


_TABLE = Base.metadata.tables[Delivery.__tablename__]
_KNOWN = (
    select(*(_TABLE.c[name] for name in ("prediction_id", "task_id", "id", "state", "handed_at", "delivered_at")))
    .where(_TABLE.c.task_id.in_(bindparam("tasks", expanding=True)))
    .where(_TABLE.c.prediction_id.in_(bindparam("predictions", expanding=True)))
    .order_by(_TABLE.c.task_id, _TABLE.c.prediction_id)
)
_LOCKED = _KNOWN.with_for_update(key_share=True)
_HANDED = (
    update(_TABLE)
    .where(_TABLE.c.id.in_(bindparam("numbers", expanding=True)))
    .values({"state": PENDING, **{name: bindparam(f"new_{name}") for name in ("handed_at", "run_after")}})
)
_TELL_AGAIN = (
    update(_TABLE)
    .where(_TABLE.c.task_id.in_(bindparam("tasks", expanding=True)), _TABLE.c.kind == DECISION)
    .values(state=PENDING, **leases.reopened(), lease_until=None)
    .returning(_TABLE.c.id)
)
_BY_NUMBER = (
    select(_TABLE.c.task_id, _TABLE.c.ls_prediction_id, _TABLE.c.prediction_id)
    .where(_TABLE.c.ls_prediction_id.in_(bindparam("numbers", expanding=True)))
    .where(_TABLE.c.task_id.in_(bindparam("tasks", expanding=True)))
    .order_by(_TABLE.c.id)
)


def owe_many(session: Session, pairs: Iterable[Pair]) -> None:
    """These predictions have to reach these tasks; saying so twice changes nothing. A local task is owed nothing."""
    wanted = _in_order(pairs)
    known = _rows(session, wanted)
    _insert(session, [pair for pair in wanted if pair not in known])


def hand_out_many(session: Session, pairs: Iterable[Pair], *, window_s: float) -> set[Pair]:
    """Claim the right to answer ``/predict`` with these predictions; those that nobody claimed within ``window_s``."""
    wanted, at = _in_order(pairs), moment(session)
    # Locked in one order before any is inserted, so that two callers never wait for each other in a circle.
    known = _rows(session, wanted, lock=True)
    free = {pair: row.id for pair, row in known.items() if not _taken(row, at, window_s)}
    claim = {"handed_at": at, "run_after": at + timedelta(seconds=window_s)}
    made = _insert(session, [pair for pair in wanted if pair not in known], **claim)
    new = {f"new_{name}": value for name, value in claim.items()}
    for numbers in chunks(free.values()):
        session.execute(_HANDED, {"numbers": numbers, **new})
        expire(session, Delivery, numbers)
    return made | set(free)


def taken_many(session: Session, pairs: Iterable[Pair], *, window_s: float) -> set[Pair]:
    """Those of these that nobody may hand out now. Only looks: what it leaves out may be claimed the next moment."""
    wanted = _in_order(pairs)
    at = moment(session)
    return {pair for pair, row in _rows(session, wanted).items() if _taken(row, at, window_s)}


def owed_many(session: Session, pairs: Iterable[Pair]) -> set[Pair]:
    """Those of these that have to reach their tasks, or have reached them."""
    return set(_rows(session, _in_order(pairs)))


def owed_predictions(session: Session, task_ids: Iterable[int]) -> int:
    """How many of these tasks (our rows) have a prediction that reached them, or has to."""
    found: set[int] = set()
    for some in chunks(task_ids):
        mine = (Delivery.kind == PREDICTION) & Delivery.task_id.in_(some)
        found.update(session.scalars(select(Delivery.task_id).where(mine)))
    return len(found)


def _in_label_studio(session: Session, pairs: Sequence[Pair]) -> list[Pair]:
    """Those whose task lies there: of a local project nobody has to be told anything."""
    local: set[int] = set()
    for some in chunks({task_id for _, task_id in pairs}):
        local.update(session.scalars(select(Task.id).where(Task.id.in_(some), Task.project_id < 0)))
    return [pair for pair in pairs if pair[1] not in local]


def _rows(session: Session, pairs: Sequence[Pair], *, lock: bool = False) -> dict[Pair, Row[Any]]:
    """The row of each of these that has one; ``lock`` holds them as they are until the transaction ends."""
    session.flush()
    found: dict[Pair, Row[Any]] = {}
    for some in chunks(pairs):
        wanted = set(some)
        given = {"predictions": sorted({one for one, _ in some}), "tasks": sorted({task for _, task in some})}
        for row in session.execute(_LOCKED if lock else _KNOWN, given):
            if (row.prediction_id, row.task_id) in wanted:
                found[row.prediction_id, row.task_id] = row
    return found


def _insert(session: Session, pairs: Sequence[Pair], **values: Any) -> set[Pair]:
    """Returns those that nobody else inserted meanwhile; none for a local task, of which there is nobody to tell."""
    made: set[Pair] = set()
    for some in chunks(_in_label_studio(session, pairs)):
        rows = [{"prediction_id": prediction_id, "task_id": task_id, **values} for prediction_id, task_id in some]
        back = insert_missing(session, Delivery, rows, Delivery.prediction_id, Delivery.task_id)
        made.update((row.prediction_id, row.task_id) for row in back)
    return made


def in_order(session: Session, numbers: Sequence[int]) -> None:
    """Lock these rows in the order in which all lock them that lock several. SQLite has one writer anyway."""
    if session.get_bind().dialect.name == "postgresql":
        mine = select(Delivery.id).where(Delivery.id.in_(numbers)).order_by(Delivery.task_id, Delivery.prediction_id)
        session.execute(mine.with_for_update(key_share=True))


def _taken(row: Row[Any], at: datetime, window_s: float) -> bool:
    """Is it being pushed, or was it given away or pushed a moment ago?"""
    before = at - timedelta(seconds=window_s)
    return row.state == SENDING or any(
        known is not None and known >= before for known in (row.handed_at, row.delivered_at)
    )


def _in_order(pairs: Iterable[Pair]) -> list[Pair]:
    return sorted(set(pairs), key=lambda pair: (pair[1], pair[0]))


def owe(session: Session, prediction_id: int, task_id: int) -> None:
    """This prediction has to reach this task; saying so twice changes nothing."""
    owe_many(session, [(prediction_id, task_id)])


def hand_out(session: Session, prediction_id: int, task_id: int, *, window_s: float) -> bool:
    """Claim the right to answer ``/predict`` with this prediction; False for all but the first within ``window_s``."""
    return bool(hand_out_many(session, [(prediction_id, task_id)], window_s=window_s))


def tell_decision(session: Session, task_id: int, decision: str) -> None:
    """A new decision has to be told if it is shown, or if the task may show an older one."""
    if decision in SHOWN and _in_label_studio(session, [(0, task_id)]):
        insert_once(session, Delivery, None, kind=DECISION, task_id=task_id, prediction_id=None)
    tell_again(session, task_id)


def tell_again(session: Session, *task_ids: int | None) -> None:
    """A task's label, suggestion or decision is another one now: what it shows in Label Studio may no longer hold."""
    numbers = sorted({number for number in task_ids if number is not None})
    if not numbers:
        return
    session.flush()
    for some in chunks(numbers):
        changed = session.execute(_TELL_AGAIN, {"tasks": some}).scalars().all()
        expire(session, Delivery, changed)


def decision_of(session: Session, task_id: int) -> Delivery | None:
    """How far the telling of a task's decisions is, None where there never was one to tell."""
    mine = (Delivery.task_id == task_id) & (Delivery.kind == DECISION)
    return session.scalars(select(Delivery).where(mine)).one_or_none()


def claim(session: Session, sender: str, *, seconds: float, kind: str | None = None) -> Delivery | None:
    """Take the oldest that is due, for ``seconds``, with its task and prediction; None when there is none.

    A delivery whose sender is gone is never given up for it: what was half sent is found there and not sent twice.
    """
    query = select(Delivery).order_by(Delivery.run_after, Delivery.id)
    if kind is not None:
        query = query.where(Delivery.kind == kind)
    taken, _ = leases.take(session, query, Delivery, sender, seconds=seconds, max_deaths=2**31, by_time=True)
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
    values = {"ls_prediction_id": ls_prediction_id, "delivered_at": moment(session), "reason": None}
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
    rows = session.execute(_BY_NUMBER, {"numbers": sorted(ls_prediction_ids), "tasks": sorted(task_ids)})
    return {
        (task, number): prediction for task, number, prediction in rows if number is not None and prediction is not None
    }
