"""The version that web and worker answer as: the base, or what the newest adopted calibration makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from backend.bootstrap import LoadedGrounder, open_versions
from backend.db import calibrations
from backend.db.engine import Database
from backend.db.tables import Calibration, Job
from backend.http.app import create_app
from backend.jobs.versions import Versions
from backend.settings import Settings
from stvg_core.demo import MODEL_DIR
from stvg_core.settings import GroundingSettings
from stvg_core.version import model_version
from tests.db.helpers import CONFIG
from tests.http.conftest import BASIC, make_settings

METHOD = GroundingSettings(centre=0.5)


def adopt(database: Database, versions: Versions, **changes: object) -> str:
    version = versions.name(replace(versions.method, **changes))  # type: ignore[arg-type]
    with database.write() as session:
        number = calibrations.request(
            session, looks=versions.looks, base=versions.base, project_id=None, requested_by="t"
        ).id
        row = calibrations.lease(session, "w", looks=versions.looks, seconds=60, number=number)
        assert row is not None and row.leased_by is not None
        values = {"settings": changes, "model_version": version}
        assert calibrations.finish(session, row.id, row.leased_by, calibrations.ADOPTED, **values)
    return version


def present(database: Database, versions: Versions) -> str:
    with database.read() as session:
        return versions.present(session)


def test_an_adopted_calibration_is_a_version_of_its_own(database: Database) -> None:
    versions = Versions(str(MODEL_DIR), METHOD)
    assert present(database, versions) == versions.base == model_version(MODEL_DIR, METHOD)
    adopted = adopt(database, versions, centre=0.2)
    assert present(database, versions) == adopted == model_version(MODEL_DIR, replace(METHOD, centre=0.2))
    with database.read() as session:
        assert versions.settings(session) == replace(METHOD, centre=0.2)


def test_reverting_brings_the_version_before_back_and_old_jobs_can_still_be_answered(database: Database) -> None:
    versions = Versions(str(MODEL_DIR), METHOD)
    first, second = adopt(database, versions, centre=0.2), adopt(database, versions, interval="top_k", top_k=4)
    assert present(database, versions) == second
    with database.write() as session:
        calibrations.revert(session, versions.looks, reason="worse")
    assert present(database, versions) == first
    with database.read() as session:
        assert versions.of(session, second) == replace(METHOD, interval="top_k", top_k=4)
        assert versions.of(session, first) == replace(METHOD, centre=0.2)
        assert versions.of(session, versions.base) == METHOD
        assert versions.of(session, "another@1/0") is None


@pytest.mark.parametrize(
    "other",
    [Versions(str(MODEL_DIR), replace(METHOD, n_slots=8)), Versions("owner/name", METHOD)],
    ids=["looks", "model"],
)
def test_a_calibration_holds_for_its_weights_and_looks_only(database: Database, other: Versions) -> None:
    versions = Versions(str(MODEL_DIR), METHOD)
    adopt(database, versions, centre=0.2)
    assert present(database, other) == other.base


def test_the_web_process_asks_for_the_new_version_without_a_restart(sqlite_database: Database) -> None:
    settings = make_settings()
    web: FlaskClient = create_app(settings, database=sqlite_database).test_client()
    versions = open_versions(settings)
    body = {"project": "1.1", "schema": CONFIG, "hostname": "http://ls", "access_token": "t" * 40}
    assert web.post("/setup", json=body, auth=BASIC).get_json() == {"model_version": versions.base}
    adopted = adopt(sqlite_database, versions, centre=0.31)
    assert web.post("/setup", json=body, auth=BASIC).get_json() == {"model_version": adopted}
    task = {"id": 1, "data": {"video": "/data/a.mp4", "query": "the red circle"}}
    asked = {"tasks": [task], "project": "1.1", "label_config": CONFIG, "params": {}}
    assert web.post("/predict", json=asked, auth=BASIC).get_json()["model_version"] == adopted
    with sqlite_database.read() as session:
        [job] = session.query(Job)
        assert job.model_version == adopted
    assert web.get("/versions", auth=BASIC).get_json() == {"versions": [adopted]}


def test_the_workers_model_changes_over_and_back(database: Database, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, device="cpu")
    engine, versions = LoadedGrounder(settings, database), open_versions(settings)
    adopted = adopt(database, versions, centre=0.31)
    weights = engine._grounder.loaded
    assert engine.model_version == versions.base
    assert engine.become(adopted)
    assert engine.model_version == adopted and engine._grounder.settings.centre == 0.31
    assert not engine.become("another@1/0") and engine.model_version == adopted
    assert engine.become(versions.base)
    assert engine.model_version == versions.base and engine._grounder.settings == versions.method
    assert engine._grounder.loaded is weights


def test_without_a_database_there_is_the_base_only(tmp_path: Path) -> None:
    engine = LoadedGrounder(Settings(data_dir=tmp_path, device="cpu"))
    assert not engine.become(engine.model_version + "x")


def test_rows_that_were_not_adopted_change_nothing(database: Database) -> None:
    versions = Versions(str(MODEL_DIR), METHOD)
    with database.write() as session:
        for state in ("queued", "running", "refused", "failed", "reverted"):
            session.add(Calibration(base=versions.base, looks=versions.looks, state=state, settings={"centre": 0.9}))
    assert present(database, versions) == versions.base


def test_no_calibration_is_laid_over_what_was_chosen_by_hand(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A calibration may choose how scores are joined; whoever chose it by hand is not overruled."""
    plain = open_versions(Settings())
    adopt(database, plain, interval="top_k", top_k=4)
    monkeypatch.setenv("STVG_SET", "interval=segment")
    by_hand = open_versions(Settings())
    assert by_hand.base == plain.base, "the same settings: what was predicted so stays known"
    assert present(database, by_hand) == by_hand.base != present(database, plain)
    adopt(database, by_hand, centre=0.3)  # made on top of that choice
    with database.read() as session:
        found = by_hand.settings(session)
        assert (found.interval, found.centre) == ("segment", 0.3)
        assert plain.settings(session).interval == "top_k"
    monkeypatch.setenv("STVG_SET", "n_slots=8")
    assert present(database, open_versions(Settings())) == open_versions(Settings()).base, "other looks"
