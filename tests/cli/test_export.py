"""What ``stvg export`` says, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli.export import command
from backend.export.errors import ExportError
from backend.export.formats import FORMATS
from backend.settings import SettingsError
from tests.export.labels import export

DOC = Path(__file__).parents[2] / "docs" / "export.md"


@pytest.mark.parametrize("kind", sorted(FORMATS))
def test_every_format_writes_an_empty_dataset_and_a_datasheet(sqlite_url: str, tmp_path: Path, kind: str) -> None:
    printed = export(sqlite_url, kind, tmp_path / "out")
    assert "0 labels written" in printed
    assert (tmp_path / "out").is_dir() == FORMATS[kind].folder
    sheet = (tmp_path / "out.datasheet.md").read_text()
    assert FORMATS[kind].title in sheet and all(note in sheet for note in FORMATS[kind].notes)


def test_every_format_is_in_the_documentation() -> None:
    text = DOC.read_text()
    assert not [kind for kind in FORMATS if f"| `{kind}` |" not in text]


def test_predictions_are_for_label_studio(sqlite_url: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="labelstudio"):
        export(sqlite_url, "csv", tmp_path / "a.csv", "--as", "predictions")


def test_a_day_is_written_as_a_day(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--format", "csv", "--out", str(tmp_path / "a"), "--since", "yesterday"])
    assert result.exit_code == 2 and "%Y-%m-%d" in result.output


def test_parquet_without_pyarrow_says_what_to_install(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ExportError, match=r"stvg\[parquet\]"):
        export(sqlite_url, "parquet", tmp_path / "a.parquet")
    assert not (tmp_path / "a.parquet").exists()
