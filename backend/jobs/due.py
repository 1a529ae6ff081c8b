"""Is there anything to do? One SELECT answers for a worker and all of its chores.

Each part is an EXISTS that an index answers. The parts of ``SELDOM`` may have to pass over many rows, so they are asked
seldom, and after work that makes such rows.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, false, func, select, text

from backend.db import lease as leases
from backend.db.calibrations import ADOPTED, REVERTED
from backend.db.jobs import FOR_ALL
from backend.db.tables import Annotation, Calibration, Delivery, Event, Job, TaskState
from backend.db.tables.state import DUE
from backend.db.types import now
from backend.jobs.rereading import STALE

JOBS, EVENTS, OUTBOX, CALIBRATE = "jobs", "events", "outbox", "calibrate"
COMPARE, READ_AGAIN = "compare", "read again"
SELDOM = (COMPARE, READ_AGAIN)


@dataclass(frozen=True)
class Due:
    """What one look found.

    Attributes:
        names: what there is to do.
        calibrated: how many calibrations were ever adopted; another number means other model versions.
    """

    names: frozenset[str]
    calibrated: int


def question(
    dialect: str, wanted: Collection[str], *, versions: Sequence[str] | None, looks: str, seldom: bool = True
) -> Select[Any]:
    """The SELECT: one column for each of ``wanted``, and the number of calibrations.

    Args:
        dialect: the kind of database.
        versions: of the model, that the worker can answer as; None for any.
        looks: what a calibration must have been made for.
        seldom: False leaves the parts of ``SELDOM`` out.
    """
    at = func.now() if dialect == "postgresql" else now()
    mine = () if versions is None else (Job.model_version.in_([*versions, FOR_ALL]),)
    parts = {
        JOBS: leases.any_free(Job, at, *mine),
        EVENTS: leases.any_free(Event, at),
        OUTBOX: leases.any_free(Delivery, at),
        CALIBRATE: leases.any_free(Calibration, at, Calibration.looks == looks),
        COMPARE: select(TaskState.task_id).where(text(DUE)).exists(),
        READ_AGAIN: select(Annotation.id).where(STALE).exists(),
    }
    asked: list[Any] = [
        (part if seldom or name not in SELDOM else false()).label(name)
        for name, part in parts.items()
        if name in wanted
    ]
    ever = Calibration.state.in_((ADOPTED, REVERTED))
    adopted = select(func.count()).select_from(Calibration).where(Calibration.looks == looks, ever).scalar_subquery()
    return select(*asked, adopted.label("calibrated"))


def look(
    connection: Connection, wanted: Collection[str], *, versions: Sequence[str] | None, looks: str, seldom: bool = True
) -> Due:
    """Ask it, in a statement that stands alone (:meth:`backend.db.engine.Database.looking`)."""
    asked = question(connection.dialect.name, wanted, versions=versions, looks=looks, seldom=seldom)
    found = dict(connection.execute(asked).mappings().one())
    connection.rollback()  # nothing was begun; the next look is a statement of its own, too
    calibrated = int(found.pop("calibrated"))
    return Due(frozenset(str(name) for name, there in found.items() if there), calibrated)
