"""Start Training pressed twice: the bodies are the same, the wish is not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.db.tables import Calibration, Event
from backend.jobs import calibrating
from backend.jobs.corrections import read_events
from backend.jobs.versions import Versions
from tests.http.conftest import BASIC

BODY = {"action": "START_TRAINING", "project": {"id": 1, "title": "clips"}}


def press(web: FlaskClient) -> str:
    return str(web.post("/webhook", json=BODY, auth=BASIC).json["status"])


@pytest.fixture
def versions(connected: FlaskClient) -> Versions:
    found: Versions = connected.application.extensions["stvg"].versions
    return found


def read(database: Database, versions: Versions) -> Sequence[str]:
    """A worker reads the events; the states of all calibrations then."""

    def train(session: Session, project_id: int | None) -> None:
        calibrating.request(session, versions, project_id=project_id, requested_by="Label Studio")

    read_events(database, train)
    with database.read() as session:
        return session.scalars(select(Calibration.state).order_by(Calibration.id)).all()


def let_all(database: Database, **values: object) -> None:
    with database.write() as session:
        session.execute(update(Calibration).values(**values))


@pytest.mark.parametrize("end", ["adopted", "refused", "failed", "reverted"])
def test_pressed_again_after_the_end_it_asks_again(
    connected: FlaskClient, sqlite_database: Database, versions: Versions, end: str
) -> None:
    assert press(connected) == "stored" and press(connected) == "known", "the first one was not read yet"
    assert read(sqlite_database, versions) == ["queued"]
    for state in ("queued", "running"):
        let_all(sqlite_database, state=state)
        assert press(connected) == "known" and read(sqlite_database, versions) == [state]
    let_all(sqlite_database, state=end)
    assert press(connected) == "stored" and press(connected) == "known"
    assert read(sqlite_database, versions) == [end, "queued"]
    with sqlite_database.read() as session:
        assert session.scalars(select(Event.state)).all() == ["done"]


def test_what_waits_for_another_model_or_project_holds_nothing_up(
    connected: FlaskClient, sqlite_database: Database, versions: Versions
) -> None:
    press(connected)
    read(sqlite_database, versions)
    for values in ({"looks": "another model"}, {"looks": versions.looks, "project_id": 2}):
        let_all(sqlite_database, **values)
        assert press(connected) == "stored"
        assert read(sqlite_database, versions)[-1] == "queued"
        with sqlite_database.write() as session:
            newest = session.scalars(select(Calibration).order_by(Calibration.id.desc())).first()
            session.delete(newest)
    let_all(sqlite_database, project_id=None)
    assert press(connected) == "known", "one for all projects serves this one"


def test_other_events_that_arrive_twice_are_dropped(connected: FlaskClient, sqlite_database: Database) -> None:
    for status in ("stored", "known"):
        assert connected.post("/webhook", json=BODY | {"action": "X"}, auth=BASIC).json["status"] == status
        read_events(sqlite_database)
