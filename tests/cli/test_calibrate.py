"""``stvg calibrate`` as a person calls it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from backend.cli import calibrate
from backend.cli.main import stvg
from backend.db import audits, calibrations
from backend.db.engine import Database
from backend.db.tables import Calibration
from backend.settings import SettingsError
from stvg_core.errors import StvgError
from tests.calibration.rows import corrected, versions


@pytest.fixture
def office(sqlite_database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setenv("STVG_DATABASE_URL", str(sqlite_database.engine.url))
    monkeypatch.setattr(calibrate, "open_versions", lambda settings: versions())
    with sqlite_database.write() as session:
        for number in range(24):
            corrected(session, number)
    return sqlite_database


def _stvg(*words: str) -> Result:
    return CliRunner().invoke(stvg, ["calibrate", *words])


def test_a_table_before_and_after_and_what_was_adopted(office: Database) -> None:
    done = _stvg()
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0] == f"24 corrected items of 24 videos, under {versions().base}"
    header = next(n for n, line in enumerate(lines) if line.startswith("HELD OUT"))
    name, before, after = lines[header + 1].split()
    assert name == "m_vIoU" and float(before) + 0.2 < float(after) <= 1
    assert "95 % interval +" in done.output and "of the folds)" in done.output
    with office.read() as session:
        present = versions().present(session)
    assert present != versions().base and lines[-1].startswith(f"Adopted: new questions are answered by {present}.")
    assert f"answered by {versions().base} again" in _stvg("--revert").output
    with office.read() as session:
        assert versions().present(session) == versions().base
        acts = [(act.who, act.action) for act in audits.newest(session)]
    assert acts == [("command line", "revert calibration"), ("command line", "calibration adopted")]
    nothing = _stvg("--revert")
    assert isinstance(nothing.exception, StvgError) and "nothing to revert" in str(nothing.exception)


def test_a_dry_run_changes_nothing(office: Database) -> None:
    assert "Would be adopted as planted@1/" in _stvg("--dry-run").output
    assert json.loads(_stvg("--dry-run", "--json").output)["state"] == "would be adopted"
    with office.read() as session:
        assert versions().present(session) == versions().base
        assert not calibrations.newest(session, versions().looks) and not audits.newest(session)


def test_refusing_says_why_and_what_was_left_out(office: Database) -> None:
    with office.write() as session:
        corrected(session, 50, project=2).was_cancelled = True
        corrected(session, 51, project=2)
    lines = _stvg("--project", "2").output.splitlines()
    assert lines[0].startswith("1 corrected items of 1 videos") and lines[1] == "1 left out: annotation: skipped"
    assert (
        lines[-1].startswith("Not adopted: 1 corrected items of 1 videos can be used") and "correct more" in lines[-1]
    )
    report = json.loads(_stvg("--project", "2", "--json").output)
    assert (
        report["state"] == "refused" and report["before"] is None and report["left_out"] == {"annotation: skipped": 1}
    )
    dry = json.loads(_stvg("--project", "2", "--dry-run", "--json").output)
    assert dry["state"] == "would be refused" and dry["model_version"] is None


def test_bad_words_are_told_apart(office: Database) -> None:
    unknown = _stvg("--project", "77")
    assert isinstance(unknown.exception, SettingsError) and "no project 77" in str(unknown.exception)
    assert _stvg("--revert", "--dry-run").exit_code == 2
    assert _stvg("--revert", "--project", "1").exit_code == 2


def test_one_that_another_process_has_is_left_to_it(office: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(*args: object, **values: object) -> int:
        with office.write() as session:
            assert calibrations.lease(session, "worker", looks=versions().looks, seconds=60)
        return 0

    monkeypatch.setattr(calibrate.calibrating, "run_due", taken)
    left = _stvg()
    assert isinstance(left.exception, StvgError) and "another process has it" in str(left.exception)
    with office.write() as session:
        row = session.get_one(Calibration, 1)
        row.state, row.reason = "failed", "it broke"
    monkeypatch.setattr(calibrate.calibrating, "request", lambda *args, **values: row)
    monkeypatch.setattr(calibrate.calibrating, "run_due", lambda *args, **values: 1)
    failed = _stvg()
    assert isinstance(failed.exception, StvgError) and "failed: it broke" in str(failed.exception)
