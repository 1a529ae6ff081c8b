"""A command that finds no database says so and leaves none: a mistyped address must not look like an empty one."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli.main import stvg
from backend.db.errors import DatabaseError

LOOKING = [
    ("jobs",),
    ("jobs", "retry", "--all"),
    ("db", "status"),
    ("db", "downgrade", "base", "--yes"),
    ("queue", "list"),
    ("report", "effort"),
    ("report", "agreement"),
    ("users", "list"),
    ("calibrate", "--dry-run"),
    ("export", "--format", "csv", "--out", "labels.csv"),
    ("export", "--format", "csv", "--out", "labels.csv", "--suggestions"),
    ("evaluate", "--predictions", "database", "--truth", "database"),
    ("worker", "--drain"),
]


@pytest.mark.parametrize("folder", ["", "new/"])
@pytest.mark.parametrize("words", LOOKING, ids=" ".join)
def test_no_database_is_said_and_none_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], folder: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{folder}gone.sqlite3")
    done = CliRunner().invoke(stvg, words)
    assert isinstance(done.exception, DatabaseError), done.output
    assert f"no database {folder}gone.sqlite3" in str(done.exception)
    assert list(tmp_path.iterdir()) == [] and done.stdout == ""
