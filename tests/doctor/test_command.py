"""``stvg doctor``: one line for each finding, exit status 1 where anything fails."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from backend.cli.doctor import command
from backend.doctor.checks import CHECKS, examine
from backend.doctor.finding import Finding, ok
from backend.doctor.installation import Installation
from backend.settings import Settings, SettingsError

HUSH = "hush-hush-password"


def run(url: str, data: Path, *arguments: str, **more: str) -> Result:
    environment = {"STVG_DATABASE_URL": url, "STVG_DATA_DIR": str(data), "STVG_USERNAME": "u", "STVG_PASSWORD": HUSH}
    return CliRunner().invoke(command, list(arguments), env=environment | more)


def test_a_good_installation(sqlite_url: str, tmp_path: Path) -> None:
    result = run(sqlite_url, tmp_path)
    assert result.exit_code == 0, result.output
    lines = [line.split()[:2] for line in result.output.splitlines()]
    assert ["ok", "database"] in lines and ["ok", "model"] in lines and ["warn", "label"] in lines
    assert HUSH not in result.output


def test_one_failure_is_exit_status_1(tmp_path: Path) -> None:
    result = run(f"sqlite:///{tmp_path / 'gone.sqlite3'}", tmp_path, "--json")
    assert result.exit_code == 1
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert all(set(row) == {"status", "about", "said", "mend"} for row in rows)
    assert [row["about"] for row in rows if row["status"] == "fail"] == ["database"]


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_settings_that_cannot_be_read_are_a_finding(sqlite_url: str, tmp_path: Path, arguments: tuple[str]) -> None:
    result = run(sqlite_url, tmp_path, *arguments, STVG_PORT="none")
    assert result.exit_code == 1 and "STVG_PORT" in result.output and len(result.output.splitlines()) == 1


def test_a_check_that_cannot_be_made_stops_no_other() -> None:
    def known(_: Installation) -> Iterator[Finding]:
        raise SettingsError("It is not set.")

    def defect(_: Installation) -> Iterator[Finding]:
        yield ok("b", "It began.")
        raise ZeroDivisionError("inner")

    found = list(
        examine(Installation(Settings()), [("a", known), ("b", defect), ("c", lambda _: iter([ok("c", "x")]))])
    )
    assert [(entry.status, entry.about) for entry in found] == [("fail", "a"), ("ok", "b"), ("fail", "b"), ("ok", "c")]
    assert all(entry.mend for entry in found if entry.status == "fail")


def test_every_check_has_a_name() -> None:
    assert len({name for name, _ in CHECKS}) == len(CHECKS)
