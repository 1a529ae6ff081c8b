"""Folders and files appear whole or not at all, and nothing of anybody else's is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Task
from backend.export.errors import ExportError
from backend.export.outputs import Output
from tests.export.labels import export, store
from tests.export.rows import annotate


def names(folder: Path) -> list[str]:
    """What lies there, without the database."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("stvg.sqlite3"))


@pytest.fixture
def filled_url(sqlite_database: Database, sqlite_url: str) -> str:
    with sqlite_database.write() as session:
        store(session)
    return sqlite_url


def test_a_folder_is_replaced_only_when_asked(filled_url: str, sqlite_database: Database, tmp_path: Path) -> None:
    out = tmp_path / "cvat"
    export(filled_url, "cvat", out)
    assert names(out) == ["_=walk.xml", "walk.xml"]
    with pytest.raises(ExportError, match="--overwrite"):
        export(filled_url, "cvat", out)
    with sqlite_database.write() as session:
        third = session.scalars(select(Task).where(Task.ls_task_id == 3)).one()
        annotate(session, third, was_cancelled=True, minute=9)
    export(filled_url, "cvat", out, "--overwrite")
    assert names(out) == ["walk.xml"]
    assert names(tmp_path) == ["cvat", "cvat.datasheet.md", "cvat.videos.json"]


def test_a_folder_that_is_no_export_is_never_replaced(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "thesis"
    out.mkdir()
    (out / "chapter.txt").write_text("years of work")
    with pytest.raises(ExportError, match="does not look like an earlier export"):
        export(filled_url, "mot", out, "--overwrite")
    assert names(tmp_path) == ["thesis"] and names(out) == ["chapter.txt"]


def test_a_link_and_a_file_are_no_folder_and_a_folder_is_no_file(filled_url: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_text("x")
    for name in ("link", "file"):
        with pytest.raises(ExportError, match="is no folder"):
            export(filled_url, "mot", tmp_path / name, "--overwrite")
    with pytest.raises(ExportError, match="is a folder"):
        export(filled_url, "csv", tmp_path / "real")
    assert names(tmp_path) == ["file", "link", "real"]


def test_the_old_folder_comes_back_when_the_new_one_cannot_take_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "data"
    path.mkdir()
    (path / "old").touch()
    output = Output(path, folder=True, overwrite=True)
    (output.temporary / "new").touch()
    rename = Path.rename

    def failing(source: Path, target: Path) -> Path:
        if source == output.temporary:
            raise OSError(5, "Input/output error")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="Input/output"):
        output.commit()
    output.discard()
    assert names(tmp_path) == ["data"] and names(path) == ["old"]
