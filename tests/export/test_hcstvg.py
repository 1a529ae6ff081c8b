"""``stvg export --format hcstvg2``: from rows to a file that the reader reads back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.export import command
from backend.db.engine import Database
from stvg_core.datasets import hcstvg
from stvg_core.errors import StvgError
from tests.export.rows import CORRECTED, a_prediction, a_task, a_tube, a_video, annotate


def export(database_url: str, out: Path, *more: str) -> str:
    arguments = ["--format", "hcstvg2", "--out", str(out), "--database-url", database_url, *more]
    result = CliRunner().invoke(command, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_corrected_labels_leave_as_a_dataset(database: Database, database_url: str, tmp_path: Path) -> None:
    with database.write() as session:
        task = a_task(session, 1, query="the man in rot – schön")
        annotate(session, task, a_tube(CORRECTED), prediction=a_prediction(session, task))
        annotate(session, a_task(session, 2), was_cancelled=True)
    out = tmp_path / "labels.json"
    printed = export(database_url, out)
    assert "1 label written" in printed and "0 as proposed, 1 corrected, 0 drawn by hand" in printed
    assert "1 tasks left out: skipped by the annotator" in printed
    [record] = hcstvg.read(out)
    assert (record.video, record.caption) == ("1.mp4", "the man in rot – schön")
    assert (record.start_frame, len(record.boxes), record.n_frames) == (4, 6, 50)
    assert (record.start_s, record.end_s) == (4 / 25, 9 / 25)
    assert (record.width, record.height) == (320, 240)
    np.testing.assert_allclose(record.boxes[0], [32, 24, 96, 72], atol=0.01)
    # st_frame counts from 1 in the file.
    assert json.loads(out.read_text())["1.mp4"]["st_frame"] == 5


def test_a_second_sentence_on_a_video_and_another_video_of_the_same_name(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    with database.write() as session:
        same, other = a_video(session, "a"), a_video(session, "b")
        annotate(session, a_task(session, 1, video=same, ref="/data/local-files/?d=x/clip.mp4"), a_tube())
        annotate(session, a_task(session, 2, video=same, ref="/data/local-files/?d=x/clip.mp4"), a_tube())
        annotate(session, a_task(session, 3, video=other, ref="/data/local-files/?d=y/clip.mp4"), a_tube())
    out = tmp_path / "labels.json"
    printed = export(database_url, out)
    assert [record.video for record in hcstvg.read(out)] == ["x/clip.mp4", "x/clip.mp4#2", "y/clip.mp4"]
    assert [record.label().video for record in hcstvg.read(out)] == ["x/clip.mp4", "x/clip.mp4", "y/clip.mp4"]
    assert "written as x/clip.mp4" in printed and "written as y/clip.mp4" in printed


def test_an_empty_export_is_an_empty_dataset(database: Database, database_url: str, tmp_path: Path) -> None:
    out = tmp_path / "labels.json"
    assert "0 labels written" in export(database_url, out, "--project", "99")
    assert hcstvg.read(out) == []


def test_a_failed_export_leaves_the_old_file(
    database: Database, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.write() as session:
        annotate(session, a_task(session), a_tube())
    out = tmp_path / "labels.json"
    out.write_text("old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StvgError, match=r"labels\.json cannot be written: No space left"):
        export(database_url, out)
    assert out.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".labels")] == []


def test_a_missing_folder_is_said(database_url: str, tmp_path: Path) -> None:
    with pytest.raises(StvgError, match="no folder"):
        export(database_url, tmp_path / "nowhere" / "labels.json")
