"""Which settings were chosen by corrections, which are asked for, and who is choosing now?

``looks`` names weights and looks (``backend.jobs.versions.Versions.looks``): a calibration holds for these only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session

from backend.db import lease as leases
from backend.db.clock import moment
from backend.db.tables import Calibration
from backend.db.types import plain

QUEUED, RUNNING, ADOPTED, REFUSED, FAILED, REVERTED = "queued", "running", "adopted", "refused", "failed", "reverted"


def adopted(session: Session, looks: str) -> dict[str, Any]:
    """The fields that differ from the settings before any calibration; empty where none is in force."""
    found = session.scalars(_settings_in_force(), {"looks": looks}).first()
    return {} if found is None else dict(found)


def of_version(session: Session, looks: str, version: str) -> dict[str, Any] | None:
    """The changed fields of a version that was ever adopted, reverted or not; None for any other."""
    ever = Calibration.state.in_((ADOPTED, REVERTED))
    query = select(Calibration).where(Calibration.looks == looks, Calibration.model_version == version, ever)
    row = session.scalars(query.order_by(Calibration.id.desc()).limit(1)).first()
    return None if row is None else dict(row.settings)


def versions(session: Session, looks: str) -> list[str]:
    """Every version that was ever adopted, reverted or not."""
    ever = Calibration.state.in_((ADOPTED, REVERTED)), Calibration.model_version.is_not(None)
    query = select(Calibration.model_version).where(Calibration.looks == looks, *ever).distinct()
    return [version for version in session.scalars(query) if version is not None]


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
    return leases.waiting(session, Calibration, Calibration.looks == looks)


def lease(
    session: Session, worker: str, *, looks: str, seconds: float, number: int | None = None
) -> Calibration | None:
    """Take the oldest that is free (or the one with this number, if it is), for ``seconds``; else None."""
    query = select(Calibration).where(Calibration.looks == looks).order_by(Calibration.id)
    if number is not None:
        query = query.where(Calibration.id == number)
    taken, _ = leases.take(session, query, Calibration, worker, seconds=seconds)
    return taken[0] if taken else None


def renew(session: Session, number: int, lease_name: str, *, seconds: float) -> bool:
    """Prolong a lease; False when it is no longer held."""
    return leases.renew(session, Calibration, number, lease_name, seconds=seconds)


def finish(session: Session, number: int, lease_name: str, state: str, **values: Any) -> bool:
    """End a held one as adopted, refused or failed; False when its lease is no longer held."""
    return leases.release(session, Calibration, number, lease_name, state=state, finished_at=moment(session), **values)


def put_back(session: Session, number: int, lease_name: str) -> bool:
    """Give a held one back to the queue, as if it had not been begun."""
    return leases.put_back(session, Calibration, number, lease_name)


def revert(session: Session, looks: str, *, reason: str) -> Calibration | None:
    """Go back to the settings before the newest adoption; None where no adoption is in force."""
    row = session.scalars(_in_force(Calibration).with_for_update(), {"looks": looks}).first()
    if row is not None:
        row.state, row.reason = REVERTED, plain(reason)
        session.flush()
    return row


def newest(session: Session, looks: str, limit: int = 20) -> Sequence[Calibration]:
    """The latest, newest first."""
    query = select(Calibration).where(Calibration.looks == looks).order_by(Calibration.id.desc()).limit(limit)
    return session.scalars(query).all()


def _in_force(what: Any) -> Select[Any]:
    """The newest of ``looks`` that was adopted and not reverted."""
    query = select(what).where(Calibration.looks == bindparam("looks"), Calibration.state == ADOPTED)
    # The latest to finish, not the latest to be asked for: a request may have waited behind a newer one.
    return query.order_by(Calibration.finished_at.desc(), Calibration.id.desc()).limit(1)


@lru_cache(maxsize=1)
def _settings_in_force() -> Select[Any]:
    """Made once: every ``/predict`` asks it."""
    return _in_force(Calibration.settings)
