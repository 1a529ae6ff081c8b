"""Whose clock counts where two machines disagree: the database's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from backend.db import calibrations, deliveries
from backend.db.engine import Database
from backend.db.types import now
from tests.db.helpers import a_prediction, a_task


def test_what_was_just_pushed_is_not_handed_out_too(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deliveries, "moment", lambda session: now() + timedelta(hours=1))
    with sqlite_database.write() as session:
        task, prediction = a_task(session), a_prediction(session)
        deliveries.owe(session, prediction.id, task.id)
        row = deliveries.claim(session, "w", seconds=60)
        assert row is not None and row.leased_by is not None
        assert deliveries.delivered(session, row.id, row.leased_by, 7)
        assert not deliveries.hand_out(session, prediction.id, task.id, window_s=120)


def test_the_last_calibration_to_end_is_in_force(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    with sqlite_database.write() as session:
        for project_id in (1, 2):
            calibrations.request(session, looks="m/l", base="m", project_id=project_id, requested_by="")
        held = [calibrations.lease(session, "w", looks="m/l", seconds=60) for _ in range(2)]
        for ahead, row in enumerate(reversed(held)):  # the older one ends last
            assert row is not None and row.leased_by is not None
            clock = now() + timedelta(hours=ahead)
            monkeypatch.setattr(calibrations, "moment", lambda session, clock=clock: clock)
            values = {"settings": {"project": row.project_id}, "model_version": f"m{row.id}"}
            assert calibrations.finish(session, row.id, row.leased_by, calibrations.ADOPTED, **values)
        rows = calibrations.newest(session, "m/l")
        assert rows[1].finished_at is not None and rows[1].finished_at > now() + timedelta(minutes=30)
        assert calibrations.adopted(session, "m/l") == {"project": 1}
