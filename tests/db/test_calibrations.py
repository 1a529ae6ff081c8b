"""Which calibration is in force, and which requests are one."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy.orm import Session

from backend.db import calibrations
from backend.db.engine import Database
from backend.db.tables import Calibration
from backend.db.types import now

LOOKS = "m@1/12345678"


def _adopted(session: Session, centre: float, *, minutes: int = 0, looks: str = LOOKS) -> None:
    row = Calibration(looks=looks, base="m@1/a", state="adopted", settings={"centre": centre})
    row.model_version, row.finished_at = f"m@1/{centre}", now() - timedelta(minutes=minutes)
    session.add(row)
    session.flush()


def test_the_last_to_be_adopted_is_in_force_until_it_is_reverted(database: Database) -> None:
    with database.write() as session:
        assert calibrations.adopted(session, LOOKS) == {}
        assert calibrations.revert(session, LOOKS, reason="") is None
        _adopted(session, 0.2)
        _adopted(session, 0.3, minutes=5)  # asked for later, but it ended before the other one
        _adopted(session, 0.4, looks="other@1/12345678")
        session.add(Calibration(looks=LOOKS, base="m@1/a", state="refused", settings={}))
    with database.write() as session:
        assert calibrations.adopted(session, LOOKS) == {"centre": 0.2}
        assert calibrations.revert(session, LOOKS, reason="worse") is not None
        assert calibrations.adopted(session, LOOKS) == {"centre": 0.3}
        assert calibrations.revert(session, LOOKS, reason="worse") is not None
        assert calibrations.adopted(session, LOOKS) == {}
        assert calibrations.of_version(session, LOOKS, "m@1/0.2") == {"centre": 0.2}  # known, though reverted
        assert calibrations.of_version(session, LOOKS, "m@1/0.4") is None


def test_requests_that_wait_for_the_same_are_one(database: Database) -> None:
    def ask(project_id: int | None, looks: str = LOOKS) -> int:
        return calibrations.request(session, looks=looks, base="b", project_id=project_id, requested_by="x" * 99).id

    with database.write() as session:
        every, one = ask(None), ask(1)
        assert len({every, one, ask(2), ask(None, "other@1/1")}) == 4
        assert ask(None) == every and ask(1) == one
        leased = calibrations.lease(session, "w", looks=LOOKS, seconds=60)
        assert leased is not None and leased.id == every
        assert ask(None) != every  # a running one may have read its corrections already
        assert calibrations.renew(session, every, str(leased.leased_by), seconds=60)
        assert not calibrations.renew(session, every, "somebody else", seconds=60)
        assert calibrations.put_back(session, every, str(leased.leased_by))
        assert session.get_one(Calibration, every, populate_existing=True).state == "queued"
