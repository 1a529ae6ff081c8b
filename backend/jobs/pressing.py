"""What does "Start Training" mean when it is pressed again?

Label Studio's event then has the same body as before where nothing changed in the project, and would be taken for one
that arrived twice. Pressed again, it asks for another calibration once the one before has ended.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from backend.db.calibrations import QUEUED, RUNNING
from backend.db.lease import reopened
from backend.db.tables import Calibration, Event

_ENDED = ("done", "ignored", "failed")


def press_again(session: Session, body: bytes, *, project_id: int | None, looks: str) -> bool:
    """Let the stored event be read once more; False while it waits, or while a calibration of the project does.

    Args:
        looks: the model's, as in :mod:`backend.db.calibrations`; one that waits for another model holds nothing up.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    row = session.scalars(select(Event).where(Event.sha256 == sha256).with_for_update()).first()
    if row is None or row.state not in _ENDED:
        return False
    of_all = Calibration.project_id.is_(None)
    same = of_all if project_id is None else or_(Calibration.project_id == project_id, of_all)
    waits = Calibration.state.in_((QUEUED, RUNNING))
    open_ones = select(Calibration.id).where(Calibration.looks == looks, waits, same)
    if session.scalars(open_ones.limit(1)).first() is not None:
        return False
    row.state, row.processed_at = Event.WAITING, None
    for name, value in reopened().items():
        setattr(row, name, value)
    return True
