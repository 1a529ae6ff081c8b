"""The datasheet says what is in the dataset, and the parts of a split hold each video once."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import select

from backend.db.engine import Database
from backend.db.tables import Prediction, Task
from backend.export.split import parse_split
from stvg_core.datasets import hcstvg
from stvg_core.demo import MODEL_DIR
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version
from tests.export.labels import CORRECTED_SENTENCE, GAP_SENTENCE, QUESTION, expected, export, store
from tests.export.rows import a_task, a_tube, annotate

SPLIT = "train=0.5,test=0.5"


def rows(sheet: str, title: str) -> list[list[str]]:
    """The cells of the table under a heading, without its head."""
    section = re.search(rf"## {re.escape(title)}\n\n(.*?)(?:\n\n|\Z)", sheet, re.DOTALL)
    assert section is not None, title
    lines = section.group(1).strip().splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_what_a_datasheet_counts(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        store(session)
        third = session.scalars(select(Task).where(Task.ls_task_id == 3)).one()
        annotate(session, third, a_tube(), number=901, author=9, minute=-5)
        annotate(session, a_task(session, 4), was_cancelled=True)
    export(sqlite_url, "csv", tmp_path / "a.csv", "--project", "7")
    sheet = (tmp_path / "a.csv.datasheet.md").read_text()
    frames = sum(len(boxes) for boxes in expected().values())
    assert f"- 3 labels on 2 videos, {frames} frames with a box" in sheet
    assert "- project 7" in sheet and "saved from 2026-11-22 to 2026-11-22" in sheet
    assert [row[:2] for row in rows(sheet, "Labels by origin")] == [
        ["accepted", "1"],
        ["corrected", "1"],
        ["drawn", "1"],
        ["suggested", "0"],
    ]
    assert rows(sheet, "Tasks left out") == [["skipped by the annotator", "1"]]
    assert rows(sheet, "Proposals came from") == [["m", "2"], ["none (drawn by a person)", "1"]]
    assert rows(sheet, "Annotators (numbers in Label Studio)") == [["3", "3"]]
    assert re.search(r"Mean pairwise vIoU 0\.\d{3} over 1 tasks .* \(1 pairs", sheet)


def test_labels_that_began_as_the_demo_models_proposals(
    sqlite_database: Database, sqlite_url: str, tmp_path: Path
) -> None:
    with sqlite_database.write() as session:
        store(session)
    export(sqlite_url, "csv", tmp_path / "a.csv")
    assert "demo model" not in (tmp_path / "a.csv.datasheet.md").read_text()
    with sqlite_database.write() as session:
        for row in session.scalars(select(Prediction)):
            row.model_version = model_version(MODEL_DIR)
    export(sqlite_url, "csv", tmp_path / "b.csv")
    sheet = (tmp_path / "b.csv.datasheet.md").read_text()
    assert f"\n\n2 of 3 labels began as proposals of the {DEMO_NOTICE}.\n\n" in sheet
    assert rows(sheet, "Proposals came from") == [[model_version(MODEL_DIR), "2"], ["none (drawn by a person)", "1"]]


def test_one_person_agrees_with_nobody(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        store(session)
    export(sqlite_url, "csv", tmp_path / "a.csv")
    sheet = (tmp_path / "a.csv.datasheet.md").read_text()
    assert "On no exported task have two people spoken." in sheet
    assert "none: every label that counts" in sheet and "Split" not in sheet


def test_all_sentences_of_a_video_are_in_one_part(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        store(session)
    printed = export(sqlite_url, "hcstvg2", tmp_path / "labels.json", "--split", SPLIT)
    split = parse_split(SPLIT)
    found = {part: {r.caption for r in hcstvg.read(tmp_path / f"labels-{part}.json")} for part in split.parts}
    wanted: dict[str, set[str]] = {"train": set(), "test": set()}
    wanted[split.part("a" * 64)] |= {CORRECTED_SENTENCE, QUESTION}
    wanted[split.part("b" * 64)] |= {GAP_SENTENCE}
    assert found == wanted
    assert not (tmp_path / "labels.json").exists()
    sheet = (tmp_path / "labels.json.datasheet.md").read_text()
    counted = {row[0]: int(row[2]) for row in rows(sheet, "Split by video content")}
    assert counted == {part: len(sentences) for part, sentences in wanted.items()}
    for part, sentences in wanted.items():
        assert f"{part}: {len(sentences)} labels on" in printed


def test_a_folder_per_part(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    with sqlite_database.write() as session:
        store(session)
    export(sqlite_url, "cvat", tmp_path / "cvat", "--split", SPLIT)
    files = {part: {path.name for path in (tmp_path / f"cvat-{part}").iterdir()} for part in ("train", "test")}
    split = parse_split(SPLIT)
    assert "walk.xml" in files[split.part("a" * 64)] and "_=walk.xml" in files[split.part("b" * 64)]
    assert sum(map(len, files.values())) == 2


def test_labels_to_look_at_are_said_and_counted(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> None:
    held = {"marks": [{"mark": "held", "frames": [8, 9]}, {"mark": "held", "frames": [2, 3]}]}
    with sqlite_database.write() as session:
        store(session)
        annotate(session, a_task(session, 4), a_tube() | held)
    printed = export(sqlite_url, "csv", tmp_path / "a.csv")
    assert "look at 1 labels: end set on the timeline: the last box is held" in printed
    assert "tasks left out: held" not in printed
    sheet = (tmp_path / "a.csv.datasheet.md").read_text()
    assert rows(sheet, "Labels to look at") == [["1", "end set on the timeline: the last box is held"]]
    assert rows(sheet, "Tasks left out") == []
