"""Who holds a row of work, for how long, and what becomes of one whose holder is gone?

A lease is a name that is new for each holder; only its holder can end the work. A process that dies stops renewing, the
lease runs out, and the next one takes the row. That is no failed try: it is counted apart, and work is given up only
after several processes in a row were gone at the same stage, because then something in it kills them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, CursorResult, Select, and_, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from backend.db.clock import moment
from backend.db.engine import changed, expire
from backend.db.tables import Leased
from backend.db.types import plain

MAX_DEATHS = 5
"""So many processes in a row, gone at the same stage of one piece of work, are no accident."""

_NAME = 160

Row = TypeVar("Row", bound=Leased)


def free(table: type[Leased], at: datetime) -> ColumnElement[bool]:
    """Rows that may be taken: those that wait and are due, and those whose holder was not heard of for too long."""
    return or_(due(table, at), _left(table, at))


def due(table: type[Leased], at: datetime) -> ColumnElement[bool]:
    """Rows that wait, and not for a later moment."""
    return and_(table.state == table.WAITING, or_(table.run_after.is_(None), table.run_after <= at))


def _due_apart(table: type[Leased], at: datetime) -> list[ColumnElement[bool]]:
    """The same in two: those that never had to wait, and those whose time has come."""
    waits = table.state == table.WAITING
    return [and_(waits, table.run_after.is_(None)), and_(waits, table.run_after <= at)]


def _left(table: type[Leased], at: datetime) -> ColumnElement[bool]:
    return and_(table.state == table.HELD, table.lease_until < at)


def any_free(table: type[Leased], at: Any, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Is there one to take? As part of a larger question; each half is answered by an index.

    Args:
        at: a moment, or the database's expression for it.
    """
    due = or_(table.run_after.is_(None), table.run_after <= at)
    waits = select(table.id).where(table.state == table.WAITING, due, *conditions).exists()
    return or_(waits, select(table.id).where(table.state == table.HELD, table.lease_until < at, *conditions).exists())


def due_sizes(session: Session, table: type[Leased], size: ColumnElement[int], *, limit: int) -> list[int]:
    """Of the first rows that wait and are due, by number, how large each is. A look that takes no lock."""
    asked = select(size).where(due(table, moment(session))).order_by(table.id).limit(limit)
    return list(session.scalars(asked))


def waiting(session: Session, table: type[Leased], *conditions: ColumnElement[bool]) -> bool:
    """Is there one to take? A look that takes no lock."""
    return session.scalar(select(table.id).where(free(table, moment(session)), *conditions).limit(1)) is not None


def any_left(session: Session, table: type[Leased], *conditions: ColumnElement[bool]) -> bool:
    """Is there one that a dead holder left? A look that takes no lock."""
    found = select(table.id).where(_left(table, moment(session)), *conditions).limit(1)
    return session.scalar(found) is not None


def take(
    session: Session, query: Select[Row], table: type[Row], holder: str, *, seconds: float, limit: int = 1,
    max_deaths: int = MAX_DEATHS, by_time: bool = False, urgency: InstrumentedAttribute[int] | None = None,
) -> tuple[list[Row], list[Row]]:  # fmt: skip
    """The first free rows of a query, now held by ``holder`` for ``seconds``; and those that were given up instead.

    A row that a dead holder left goes before those that wait and are not more urgent, and alone: where it is what
    killed the holder, the rows that were only taken together with it are not counted as deadly too.

    Args:
        query: which rows may be taken, in which order; that they are free is added here.
        limit: at most so many.
        max_deaths: a row is given up with its reason when so many holders in a row were gone at the same stage.
        by_time: the order begins with ``run_after``, and rows that never had to wait come first. No index gives that
            order to both databases, so these are asked for apart.
        urgency: the column that the order begins with, the highest first; None where no row is more urgent.
    """
    taken, given_up = take_left(
        session, query, table, holder, seconds=seconds, max_deaths=max_deaths, urgency=urgency, limit=limit
    )
    taken = taken or take_due(session, query, table, holder, seconds=seconds, limit=limit, by_time=by_time)
    return taken, given_up


def take_left(
    session: Session, query: Select[Row], table: type[Row], holder: str, *, seconds: float,
    max_deaths: int = MAX_DEATHS, urgency: InstrumentedAttribute[int] | None = None, limit: int = 1,
) -> tuple[list[Row], list[Row]]:  # fmt: skip
    """The same, but only the first row that a dead holder left, or the more urgent ones before it."""
    given_up: list[Row] = []
    while True:
        at = moment(session)
        left = _first(session, query, table, [_left(table, at)], 1)
        if left and urgency is not None:
            before = query.where(urgency > getattr(left[0], urgency.key))
            if urgent := _first(session, before, table, [due(table, at)], limit):
                return _held_now(session, urgent, holder, at, seconds), given_up
        if not left or not left[0].begun or _died(left[0]) < max_deaths:
            return _held_now(session, left, holder, at, seconds), given_up
        _give_up(left[0], at)
        given_up += left
        session.flush()


def take_due(
    session: Session, query: Select[Row], table: type[Row], holder: str, *, seconds: float, limit: int = 1,
    by_time: bool = False,
) -> list[Row]:  # fmt: skip
    """The same, but only rows that wait and are due. Asked apart: each of the questions has an index of its own."""
    at = moment(session)
    conditions = _due_apart(table, at) if by_time else [due(table, at)]
    return _held_now(session, _first(session, query, table, conditions, limit), holder, at, seconds)


def _held_now(session: Session, rows: list[Row], holder: str, at: datetime, seconds: float) -> list[Row]:
    for row in rows:
        _hold(row, holder, at, seconds)
    session.flush()
    return rows


def _first(
    session: Session, query: Select[Row], table: type[Row], conditions: Sequence[ColumnElement[bool]], limit: int
) -> list[Row]:
    """The first rows under one condition after the other that nobody else has locked, now locked."""
    found: list[Row] = []
    for condition in conditions:
        if len(found) < limit:
            more = query.where(condition).limit(limit - len(found)).with_for_update(skip_locked=True, of=table)
            found += session.scalars(more)
    return found


def _died(row: Leased) -> int:
    """Count one more holder that is gone; how many were, one after the other, at the same stage."""
    stage = row.stage_now[:64]
    row.deaths = row.deaths + 1 if row.deaths and row.death_stage == stage else 1
    row.death_stage = stage
    return row.deaths


def _give_up(row: Leased, at: datetime) -> None:
    row.state, row.leased_by, row.lease_until = row.FAILED, None, None
    where = f' at the stage "{row.death_stage}"' if row.death_stage else ""
    row.reason = (
        f"{row.deaths} workers in a row stopped in the middle of it{where}, perhaps for lack of memory. Their logs say "
        "more. When that is mended, try it again."
    )
    if hasattr(row, "finished_at"):
        row.finished_at = at


def _hold(row: Leased, holder: str, at: datetime, seconds: float) -> None:
    if row.state != row.HELD:  # what a dead holder began is the same try
        row.attempts += 1
    row.state, row.reason, row.run_after = row.HELD, None, None
    row.leased_by = f"{holder}#{row.id}.{row.attempts}.{row.deaths}.{int(at.timestamp() * 1000)}"[-_NAME:]
    row.lease_until = at + timedelta(seconds=seconds)


def renew(
    session: Session, table: type[Leased], number: int, lease_name: str, *, seconds: float, **values: Any
) -> bool:
    """Prolong a lease (and set other columns); False when it is no longer held."""
    until = moment(session) + timedelta(seconds=seconds)
    return changed(session, update(table).where(_held(table, number, lease_name)).values(lease_until=until, **values))


def release(session: Session, table: type[Leased], number: int, lease_name: str, *, state: str, **values: Any) -> bool:
    """End a lease with the row's next state (and other columns); False when it is no longer held.

    Whoever held it was alive at the end, so the deaths before it do not count any more.
    """
    gone: dict[str, Any] = {"leased_by": None, "lease_until": None, "deaths": 0, "death_stage": ""}
    held = _held(table, number, lease_name)
    return changed(session, update(table).where(held).values(**gone, state=state, **values))


def release_all(session: Session, table: type[Leased], held: Mapping[int, str], *, state: str, **values: Any) -> bool:
    """The same for several rows at once, by their number; False when any is no longer held."""
    gone: dict[str, Any] = {"leased_by": None, "lease_until": None, "deaths": 0, "death_stage": ""}
    mine = table.id.in_(sorted(held)), table.leased_by.in_(sorted(held.values())), table.state == table.HELD
    statement = update(table).where(*mine).values(**gone, state=state, **values)
    result = session.execute(statement.execution_options(synchronize_session=False))
    expire(session, table, held)
    assert isinstance(result, CursorResult)
    return bool(result.rowcount == len(held))


def postpone(
    session: Session, table: type[Leased], number: int, lease_name: str, reason: str | None, *, seconds: float
) -> bool:
    """Give a held row back, to be taken again after ``seconds``; the try counts."""
    later = moment(session) + timedelta(seconds=seconds)
    said = None if reason is None else plain(reason)
    return release(session, table, number, lease_name, state=table.WAITING, run_after=later, reason=said)


def put_back(session: Session, table: type[Leased], number: int, lease_name: str) -> bool:
    """Give a held row back unharmed, because its holder was asked to stop."""
    return release(session, table, number, lease_name, state=table.WAITING, attempts=table.attempts - 1)


def give_up(session: Session, table: type[Leased], number: int, lease_name: str, reason: str, **values: Any) -> bool:
    """A held row fails for good, with its reason; False when it is no longer held."""
    return release(session, table, number, lease_name, state=table.FAILED, reason=plain(reason), **values)


def reopened() -> dict[str, Any]:
    """The columns of a row that somebody asks to try again from the beginning, beside its state."""
    return {"attempts": 0, "deaths": 0, "death_stage": "", "run_after": None, "reason": None, "leased_by": None}


def _held(table: type[Leased], number: int, lease_name: str) -> ColumnElement[bool]:
    return and_(table.id == number, table.leased_by == lease_name, table.state == table.HELD)
