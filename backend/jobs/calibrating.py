"""Calibrations that were asked for: choose settings by corrections, one process at a time; adopt them, or say why not.

Adopting stores the changed settings: web and workers take them from the database (``backend.jobs.versions``), so the
next question gets the new model version. Torch is imported where the work is done.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from backend.db import audits, calibrations
from backend.db.engine import Database
from backend.db.errors import AWAY
from backend.db.tables import Calibration
from backend.jobs.lease import LeaseLost, Stopping
from backend.jobs.versions import Versions
from stvg_core.errors import StvgError

if TYPE_CHECKING:
    from stvg_core.calibration.calibrate import Calibrated
    from stvg_core.settings import GroundingSettings

logger = logging.getLogger(__name__)
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Outcome:
    """What was found with the settings that were present, and which corrections had no part in it."""

    present: GroundingSettings
    calibrated: Calibrated
    left_out: Counter[str]

    def to_json(self) -> dict[str, Any]:
        return self.calibrated.to_json() | {"left_out": dict(self.left_out)}


def request(
    session: Session, versions: Versions, *, project_id: int | None = None, requested_by: str = ""
) -> Calibration:
    """Ask for a calibration; it runs in the next process that looks (:func:`run_due`).

    Args:
        project_id: only its corrections choose; what is adopted holds for every project all the same.
    """
    base = versions.present(session)
    return calibrations.request(
        session, looks=versions.looks, base=base, project_id=project_id, requested_by=requested_by
    )


def look(
    database: Database, versions: Versions, *, project_id: int | None = None, progress: Progress = lambda share: None
) -> Outcome:
    """What a calibration would find now; writes nothing."""
    from backend.jobs.usable_corrections import gather
    from stvg_core.calibration.calibrate import calibrate

    with database.read() as session:
        present = versions.settings(session)
        found = gather(session, versions, present, project_id=project_id)
    return Outcome(present, calibrate(found.items, present, progress), found.left_out)


def run_due(
    database: Database, versions: Versions, *, name: str, lease_s: float = 60.0, number: int | None = None,
    stop: threading.Event | None = None, progress: Progress = lambda share: None,
) -> int:  # fmt: skip
    """Run what is due, one after the other (or the one with this number); returns how many were ended.

    Args:
        name: of this process.
        lease_s: another process takes one over that was not heard of for so long.
        stop: gives the running one back to the queue.
    """
    ended = 0
    while stop is None or not stop.is_set():
        with database.read() as session:
            if not calibrations.waiting(session, versions.looks):
                return ended
        with database.write() as session:
            row = calibrations.lease(session, name, looks=versions.looks, seconds=lease_s, number=number)
        if row is None:
            return ended
        assert row.leased_by is not None
        keeper = _Keeper(database, row.id, row.leased_by, lease_s, stop, progress)
        try:
            found = look(database, versions, project_id=row.project_id, progress=keeper)
            ended += _end(database, versions, row, found)
        except LeaseLost:
            logger.warning("calibration %d: the lease ran out, what was found is dropped", row.id)
        except Stopping:
            with database.write() as session:
                calibrations.put_back(session, row.id, row.leased_by)
        except AWAY:
            raise  # the lease runs out by itself
        except StvgError as error:
            ended += _fail(database, row, str(error))
        except Exception:
            logger.exception("calibration %d: internal error", row.id)
            ended += _fail(database, row, f"Internal error. The log has the details under calibration {row.id}.")
        if number is not None:
            return ended
    return ended


def revert(session: Session, versions: Versions, *, who: str) -> Calibration | None:
    """Back to the settings before the newest adoption; None where there is none."""
    row = calibrations.revert(session, versions.looks, reason=f"Reverted by {who}.")
    if row is not None:
        detail = {"from": row.model_version, "to": versions.present(session)}
        audits.add(session, who=who, action="revert calibration", target=f"calibration {row.id}", detail=detail)
    return row


def _end(database: Database, versions: Versions, row: Calibration, found: Outcome) -> bool:
    """Store the result, with its line in the audit log, in one transaction."""
    assert row.leased_by is not None
    calibrated = found.calibrated
    with database.write() as session:
        if versions.settings(session) != found.present:
            # Another calibration was adopted or reverted meanwhile: the figures are of settings that are no more.
            calibrations.put_back(session, row.id, row.leased_by)
            return False
        values: dict[str, Any] = {"report": found.to_json(), "base": versions.name(found.present)}
        state = calibrations.REFUSED
        if calibrated.adopted:
            state = calibrations.ADOPTED
            values["settings"] = changed_fields(versions.method, calibrated.settings)
            values["model_version"] = versions.name(calibrated.settings)
        if not calibrations.finish(session, row.id, row.leased_by, state, reason=calibrated.reason or None, **values):
            raise LeaseLost
        detail = {"base": values["base"], "requested by": row.requested_by, "changed": calibrated.proposed}
        detail |= {"reason": calibrated.reason} if calibrated.reason else {"model version": values["model_version"]}
        who = row.requested_by or "worker"
        audits.add(session, who=who, action=f"calibration {state}", target=f"calibration {row.id}", detail=detail)
    logger.info("calibration %d: %s %s", row.id, state, calibrated.reason)
    return True


def changed_fields(method: GroundingSettings, settings: GroundingSettings) -> dict[str, Any]:
    """All fields that differ from the settings before any calibration."""
    from stvg_core.calibration.calibrate import changes

    return changes(method, settings)


def _fail(database: Database, row: Calibration, reason: str) -> bool:
    assert row.leased_by is not None
    with database.write() as session:
        return calibrations.finish(session, row.id, row.leased_by, calibrations.FAILED, reason=reason, report={})


class _Keeper:
    """Shows the progress and renews the lease on the way; the work reports several times a second.

    Raises:
        LeaseLost, Stopping: the work is in vain.
    """

    def __init__(
        self, database: Database, number: int, lease_name: str, seconds: float, stop: threading.Event | None,
        progress: Progress,
    ) -> None:  # fmt: skip
        self._database, self._number, self._name, self._seconds = database, number, lease_name, seconds
        self._stop, self._progress = stop, progress
        self._renewed = time.monotonic()

    def __call__(self, share: float) -> None:
        self._progress(share)
        if self._stop is not None and self._stop.is_set():
            raise Stopping
        if time.monotonic() - self._renewed > self._seconds / 3:
            with self._database.write() as session:
                if not calibrations.renew(session, self._number, self._name, seconds=self._seconds):
                    raise LeaseLost
            self._renewed = time.monotonic()
