"""What did people correct? Stored webhooks become annotation versions.

Events are taken some at a time and read outside of a transaction; an event ends in the transaction that writes what
came of it, and a version that is there already is left alone: doubled, late or repeated reading changes nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from sqlalchemy.exc import IntegrityError, SQLAlchemyError
from sqlalchemy.orm import Session

from backend.db import events, projects
from backend.db.engine import Database
from backend.db.errors import AWAY
from backend.db.tables import Event as EventRow
from backend.jobs.pace import Pace
from backend.jobs.planning import planned
from backend.jobs.storing import store
from backend.labelstudio.events import TRAIN, Event, parse_event
from stvg_core.errors import StvgError

logger = logging.getLogger(__name__)

Training = Callable[[Session, int | None], object]
"""Asks for a calibration by the corrections of a project (all of them where it is None)."""

LEASE_S = 120.0
"""A reader that was not heard of for so long is gone."""

_MAX_ATTEMPTS = 5


class EventLost(Exception):
    """Another reader has the event by now: what was read must not be stored twice."""


@dataclass
class Held:
    """An event that this reader holds, and what came of it so far.

    Attributes:
        event: None where the body is none; ``failure`` says why.
    """

    row: EventRow
    lease: str
    event: Event | None = None
    failure: str | None = None

    @property
    def about_annotations(self) -> bool:
        return self.event is not None and bool(self.event.annotations or self.event.deleted_ids)


def read_events(
    database: Database, train: Training | None = None, *, name: str = "reader", pace: Pace | None = None
) -> int:
    """Turn every waiting event into annotation versions; returns how many events were read.

    Args:
        train: called when somebody pressed "Start Training" in Label Studio; without it such an event is ignored.
        name: of this process.
        pace: how many are read together; what it has learned is used the next time.
    """
    read, pace = 0, pace or Pace.of(database)
    while True:
        with database.read() as session:
            limit = events.ready(session, limit=pace.size)
        if not limit:
            return read
        with database.write() as session:
            taken = events.take(session, name, seconds=LEASE_S, limit=limit)
        held = [_open(row) for row in taken]
        try:
            read += _read(database, held, train, pace)
        except AWAY:
            _put_back(database, held)
            raise  # the database is away; the events wait


def _open(row: EventRow) -> Held:
    assert row.leased_by is not None
    held = Held(row, row.leased_by)
    try:
        held.event = parse_event(json.loads(row.body))
    except (StvgError, ValueError) as error:
        held.failure = str(error)
    except Exception:  # it must not keep the others from being read
        logger.exception("event %d: internal error", row.id)
        held.failure = f"Internal error. The worker's log has the details under event {row.id}."
    return held


def _read(database: Database, held: Sequence[Held], train: Training | None, pace: Pace) -> int:
    """Several together; where that fails each alone, so that one harms no other."""
    others = [one for one in held if not one.about_annotations]
    read = sum(_tried(database, one, partial(_end, database, one, train)) for one in others)
    about = [one for one in held if one.about_annotations]
    if len(about) > 1:
        try:
            _store(database, about, pace)
            return read + len(about)
        except AWAY:
            raise
        except Exception as error:
            logger.info("%d events are read one by one: %s", len(about), type(error).__name__)
    return read + sum(_tried(database, one, partial(_store, database, [one], pace)) for one in about)


def _tried(database: Database, one: Held, read: Callable[[], None]) -> bool:
    try:
        read()
        return True
    except AWAY:
        raise
    except EventLost:
        logger.warning("event %d: another reader has it by now", one.row.id)
    except IntegrityError:
        _again(database, one, "another worker read the same annotation at this moment")
    except Exception:
        logger.exception("event %d: internal error", one.row.id)
        _again(database, one, f"Internal error. The worker's log has the details under event {one.row.id}.")
    return False


def _end(database: Database, one: Held, train: Training | None) -> None:
    """An event that is about no annotation."""
    event = one.event
    with database.write() as session:
        if event is None:
            events.close(session, one.row.id, one.lease, "failed", one.failure)
            return
        if event.action == "PROJECT_UPDATED" and event.project_id is not None and event.label_config:
            projects.register(session, event.project_id, event.label_config)
        if event.action == TRAIN and train is not None:
            train(session, event.project_id)
        ended = "done" if event.action == TRAIN and train is not None else "ignored"
        if not events.close(session, one.row.id, one.lease, ended):
            raise EventLost


def _store(database: Database, held: Sequence[Held], pace: Pace) -> None:
    """What these events say, and their end."""
    plans = planned(database, [(one.row.id, one.event) for one in held if one.event is not None])

    def close(session: Session) -> None:
        if not events.close_all(session, {one.row.id: one.lease for one in held}):
            raise EventLost

    store(database, plans, close, pace)


def _again(database: Database, one: Held, reason: str) -> None:
    """Once more, and after several tries set aside with the reason."""
    with database.write() as session:
        if one.row.attempts >= _MAX_ATTEMPTS:
            events.close(session, one.row.id, one.lease, "failed", reason)
        else:
            events.again(session, one.row.id, one.lease, reason, seconds=0.0)


def _put_back(database: Database, held: Iterable[Held]) -> None:
    """What was taken and not read can be taken at once, where the database is there again."""
    with suppress(SQLAlchemyError), database.write() as session:
        for one in held:
            events.put_back(session, one.row.id, one.lease)
