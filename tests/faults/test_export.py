"""Exports while people work, names that lead elsewhere, and text that a spreadsheet would run."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from sqlalchemy.orm import Session

from backend.db.engine import Database
from backend.export import exporting as exporting
from backend.export import outputs
from backend.export.names import VideoNames
from stvg_core.errors import StvgError
from tests.export.labels import export
from tests.export.rows import CORRECTED, a_task, a_tube, a_video, annotate
from tests.faults.fault import fault
from tests.faults.without import nothing, same

FAULTS = (30,)


def local(name: str) -> str:
    return f"/data/local-files/?d={name}"


def label(session: Session, number: int, name: str = "a.mp4", query: str = "the red box", **more: Any) -> None:
    task = a_task(session, number, video=a_video(session, f"{number:x}"), ref=local(name), query=query)
    annotate(session, task, a_tube(CORRECTED, **more))


def lying_in(folder: Path) -> list[str]:
    """Names there, without the database."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("stvg.sqlite3"))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@fault(
    30,
    guard="backend.export.exporting.one_snapshot",
    without=nothing,
    also={"backend.export.records.one_snapshot": nothing},
)
def test_an_export_shows_one_moment_whatever_is_saved_meanwhile(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's reading transactions see one moment by themselves."""
    with database.write() as session:
        for number in (1, 2):
            label(session, number, f"{number}.mp4")
    read = exporting.records

    def read_late(*given: Any, **more: Any) -> Iterator[Any]:
        with database.write() as session:
            label(session, 3, "3.mp4", "a sentence of later")
        yield from read(*given, **more)

    monkeypatch.setattr("backend.export.exporting.records", read_late)
    assert "2 labels written" in export(database_url, "csv", tmp_path / "labels.csv")
    assert "a sentence of later" not in (tmp_path / "labels.csv").read_text()


def at_its_place(output: outputs.Output, word: str) -> Path:
    output.path.unlink(missing_ok=True)
    return output.path


@pytest.mark.parametrize("kind", ["csv", "coco-vid"])
@fault(30, guard="backend.export.outputs.Output._beside", without=at_its_place)
def test_a_file_appears_whole_and_the_old_one_stays_until_then(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    out, seen, sync = tmp_path / "labels", list[bytes | None](), os.fsync
    out.write_bytes(b"of yesterday")
    with sqlite_database.write() as session:
        label(session, 1)

    def look(descriptor: int) -> None:
        seen.append(out.read_bytes() if out.exists() else None)
        sync(descriptor)

    monkeypatch.setattr("backend.export.outputs.os.fsync", look)
    export(sqlite_url, kind, out)
    assert set(seen) == {b"of yesterday"} and b"the red box" in out.read_bytes()


@pytest.mark.parametrize("kind", ["csv", "coco-vid", "parquet", "mot", "vidstg"])
@fault(30, guard="backend.export.outputs.Output.discard", without=nothing)
def test_a_full_disk_leaves_nothing_behind(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with sqlite_database.write() as session:
        label(session, 1)
        label(session, 2, "b.mp4")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("backend.export.outputs.os.fsync", full)
    with pytest.raises(StvgError, match="cannot be written: No space left"):
        export(sqlite_url, kind, tmp_path / "out", "--split", "train=0.5,test=0.5")
    assert lying_in(tmp_path) == []


HOSTILE = [
    "../../x.mp4", "..%2F..%2Fx.mp4", "/etc/cron.d/x.mp4", "=cmd()|x.mp4", "+1.mp4", "-rf.mp4", "@x.mp4", "~root.mp4",
    ".hidden.mp4", "CON.mp4", "con.tar.mp4", "nul", "LPT1.mp4", "x. .mp4", "x...",
    f"{'é' * 300}.mp4", f"{'x' * 300}.mp4",
    "C%3A%5Cx.mp4", "a%0Ab%09c.mp4", "a%00b.mp4", "\u202egpj.mp4", "a<b>c%3Ad%22e%7Cf%3Fg%2Ah.mp4", "%2E%2E", "%20.mp4",
    "Clip.mp4", "clip.mp4", "caf\u00e9.mp4", "cafe\u0301.mp4",
]  # fmt: skip
RESERVED = {"con", "prn", "aux", "nul", *(f"{name}{digit}" for name in ("com", "lpt") for digit in range(10))}


def harmless(stem: str) -> None:
    """What Linux, macOS and Windows take for a plain file's name, with room for an ending."""
    assert stem and len(stem.encode()) <= 200 and stem == stem.strip(" ").rstrip(".")
    assert not stem.startswith((".", "-", "=", "+", "@", "~")) and ".." not in stem.split("/")
    assert not set(stem) & set('<>:"/\\|?*') and all(not unicodedata.category(ch).startswith("C") for ch in stem)
    assert stem.partition(".")[0].lower() not in RESERVED and not PureWindowsPath(stem).drive


@fault(30, guard="backend.export.names._file_name", without=same)
@fault(30, guard="backend.export.names._same_file", without=same)
def test_every_name_becomes_a_harmless_one_of_its_own() -> None:
    names = VideoNames(local(name) for name in HOSTILE)
    stems = [names.stem(local(name), f"{number:064x}") for number, name in enumerate(HOSTILE)]
    for stem in stems:
        harmless(stem)
    assert len({unicodedata.normalize("NFC", stem).casefold() for stem in stems}) == len(HOSTILE)


@pytest.mark.parametrize("kind", ["mot", "vidstg", "cvat"])
@fault(30, guard="backend.export.names._file_name", without=same, by=(OSError, StvgError))
def test_nothing_is_written_outside_of_the_folder(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path, kind: str
) -> None:
    with sqlite_database.write() as session:
        for number, name in enumerate(HOSTILE[:14]):
            label(session, number + 1, name)
    inside = tmp_path / "a" / "b"
    inside.mkdir(parents=True)
    export(sqlite_url, kind, inside / "out")
    assert lying_in(tmp_path) == ["a"] and lying_in(tmp_path / "a") == ["b"]
    assert set(lying_in(inside)) <= {"out", "out.datasheet.md", "out.videos.json"}
    written = [path for path in (inside / "out").rglob("*") if path.is_file()]
    assert written
    for path in written:
        for part in path.relative_to(inside / "out").parts:
            harmless(part)
    table = inside / "out.videos.json"
    assert not table.exists() or json.loads(table.read_text())


FORMULAS = ["=cmd()|' /C calc'!A0", "+1", "-1", "@SUM(A1)", " =1+1", "\t=1", "\r=1", "＝1", "＠x", "=1\n+2"]
PLAIN = ["the man", "a = b", "1-2", "e-mail @ work"]


@fault(30, guard="backend.export.frames_csv.guarded", without=same)
def test_no_cell_of_a_table_is_a_formula(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        for number, text in enumerate([*FORMULAS, *PLAIN], start=1):
            label(session, number, f"{number}.mp4", query=text, label=text)
        label(session, 100, "=cmd().mp4")
    export(sqlite_url, "csv", tmp_path / "labels.csv")
    with (tmp_path / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    texts = {row[column] for row in rows for column in ("video", "label", "sentence", "origin", "verdict")}
    for text in texts:
        first = unicodedata.normalize("NFKC", text).lstrip()[:1]
        assert first not in tuple("=+-@"), text
    assert set(PLAIN) <= texts and "'=cmd().mp4" in texts, "other text stays as it is"
