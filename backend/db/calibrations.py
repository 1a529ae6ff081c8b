"""Which settings were chosen by corrections, which are asked for, and who is choosing now?

``looks`` names weights and looks (``backend.jobs.versions.Versions.looks``): a calibration holds for these only.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select, update
from sqlalchemy.orm import Session

from backend.db.engine import changed
from backend.db.tables import Calibration
from backend.db.types import now, plain

QUEUED, RUNNING, ADOPTED, REFUSED, FAILED, REVERTED = "queued", "running", "adopted", "refused", "failed", "reverted"
MAX_ATTEMPTS = 3
_ATTEMPTS = "attempts"  # in the report, until there is one


def adopted(session: Session, looks: str) -> dict[str, Any]:
    """The fields that differ from the settings before any calibration; empty where none is in force."""
    row = _in_force(session, looks)
    return {} if row is None else dict(row.settings)


def of_version(session: Session, looks: str, version: str) -> dict[str, Any] | None:
    """The changed fields of a version that was ever adopted, reverted or not; None for any other."""
    ever = Calibration.state.in_((ADOPTED, REVERTED))
    query = select(Calibration).where(Calibration.looks == looks, Calibration.model_version == version, ever)
    row = session.scalars(query.order_by(Calibration.id.desc()).limit(1)).first()
    return None if row is None else dict(row.settings)


def request(session: Session, *, looks: str, base: str, project_id: int | None, requested_by: str) -> Calibration:
    """A queued calibration; one that waits already for the same project (or for all) serves this request too."""
    same = Calibration.project_id.is_(None) if project_id is None else Calibration.project_id == project_id
    waits = select(Calibration).where(Calibration.looks == looks, Calibration.state == QUEUED, same)
    row = session.scalars(waits.order_by(Calibration.id).limit(1)).first()
    if row is None:
        row = Calibration(looks=looks, base=base, project_id=project_id, requested_by=plain(requested_by)[:64])
        session.add(row)
        session.flush()
    return row


def waiting(session: Session, looks: str) -> bool:
    """Is there one to lease? A look that takes no lock."""
    return session.scalar(select(Calibration.id).where(_free(looks, now())).limit(1)) is not None


def lease(
    session: Session, worker: str, *, looks: str, seconds: float, number: int | None = None
) -> Calibration | None:
    """Take the oldest that is free (or the one with this number, if it is), for ``seconds``; None when there is none.

    One whose worker stopped in the middle ``MAX_ATTEMPTS`` times fails: something in it kills the worker.
    """
    while True:
        moment = now()
        query = select(Calibration).where(_free(looks, moment)).order_by(Calibration.id).limit(1)
        if number is not None:
            query = query.where(Calibration.id == number)
        row = session.scalars(query.with_for_update(skip_locked=True)).first()
        if row is None:
            return None
        attempts = int(row.report.get(_ATTEMPTS, 0))
        if row.state == RUNNING and attempts >= MAX_ATTEMPTS:
            row.state, row.leased_by, row.lease_until, row.finished_at = FAILED, None, None, moment
            row.reason = f"The process stopped {attempts} times in the middle of it, perhaps for lack of memory."
            session.flush()
            continue
        row.state, row.report = RUNNING, {_ATTEMPTS: attempts + 1}
        row.leased_by = f"{worker}#{row.id}.{attempts + 1}.{int(moment.timestamp() * 1000)}"
        row.lease_until = moment + timedelta(seconds=seconds)
        session.flush()
        return row


def renew(session: Session, number: int, lease_name: str, *, seconds: float) -> bool:
    """Prolong a lease; False when it is no longer held."""
    until = now() + timedelta(seconds=seconds)
    return changed(session, update(Calibration).where(_held(number, lease_name)).values(lease_until=until))


def finish(session: Session, number: int, lease_name: str, state: str, **values: Any) -> bool:
    """End a held one as adopted, refused or failed; False when its lease is no longer held."""
    return _release(session, number, lease_name, state=state, finished_at=now(), **values)


def put_back(session: Session, number: int, lease_name: str) -> bool:
    """Give a held one back to the queue, as if it had not been begun."""
    return _release(session, number, lease_name, state=QUEUED, report={})


def revert(session: Session, looks: str, *, reason: str) -> Calibration | None:
    """Go back to the settings before the newest adoption; None where no adoption is in force."""
    row = _in_force(session, looks, lock=True)
    if row is not None:
        row.state, row.reason = REVERTED, plain(reason)
        session.flush()
    return row


def newest(session: Session, looks: str, limit: int = 20) -> Sequence[Calibration]:
    """The latest, newest first."""
    query = select(Calibration).where(Calibration.looks == looks).order_by(Calibration.id.desc()).limit(limit)
    return session.scalars(query).all()


def _in_force(session: Session, looks: str, *, lock: bool = False) -> Calibration | None:
    """The newest that was adopted and not reverted."""
    query = select(Calibration).where(Calibration.looks == looks, Calibration.state == ADOPTED)
    # The latest to finish, not the latest to be asked for: a request may have waited behind a newer one.
    query = query.order_by(Calibration.finished_at.desc(), Calibration.id.desc()).limit(1)
    return session.scalars(query.with_for_update() if lock else query).first()


def _free(looks: str, moment: datetime) -> ColumnElement[bool]:
    overdue = and_(Calibration.state == RUNNING, Calibration.lease_until < moment)
    return and_(Calibration.looks == looks, or_(Calibration.state == QUEUED, overdue))


def _held(number: int, lease_name: str) -> ColumnElement[bool]:
    return and_(Calibration.id == number, Calibration.state == RUNNING, Calibration.leased_by == lease_name)


def _release(session: Session, number: int, lease_name: str, **values: Any) -> bool:
    held = _held(number, lease_name)
    return changed(session, update(Calibration).where(held).values(**values, leased_by=None, lease_until=None))
