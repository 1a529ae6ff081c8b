"""Seconds in every format that has them: a variable-rate video's own, or none."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy.orm import Session

from backend.cli.export import command
from backend.db import predictions
from backend.db.engine import Database
from backend.db.tables import Video
from stvg_core.times import pack_times
from tests.export.rows import a_task, a_tube, a_video, annotate

PAUSE = np.concatenate([np.arange(20) / 10, 10 + np.arange(20) / 10])
TUBE = [[15, 0.1, 0.1, 0.4, 0.4], [25, 0.3, 0.1, 0.6, 0.4]]


def a_variable_video(session: Session, *, times: bool) -> Video:
    """40 frames at ten a second with a pause of eight seconds in the middle; ``times``: they are stored."""
    return predictions.store_video(
        session, "e" * 64, width=320, height=240, fps_num=390, fps_den=119, n_frames=40, duration_s=12.0, size_bytes=9,
        variable_rate=True, frame_times=pack_times(PAUSE) if times else None,
    )  # fmt: skip


def export(database_url: str, kind: str, out: Path) -> str:
    result = CliRunner().invoke(command, ["--format", kind, "--out", str(out), "--database-url", database_url])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(params=[True, False], ids=["known", "unknown"])
def known(request: pytest.FixtureRequest, database: Database) -> bool:
    """One label on the variable-rate video, one on a video of 25 frames a second."""
    with database.write() as session:
        annotate(session, a_task(session, 1, video=a_variable_video(session, times=request.param)), a_tube(TUBE))
        annotate(session, a_task(session, 2, video=a_video(session)), a_tube(TUBE))
    return bool(request.param)


@pytest.mark.parametrize("kind", ["hcstvg1", "hcstvg2"])
def test_hcstvg(known: bool, kind: str, database_url: str, tmp_path: Path) -> None:
    printed = export(database_url, kind, tmp_path / "a.json")
    content = json.loads((tmp_path / "a.json").read_text())
    even = content.pop("2.mp4")
    assert (even["st_time"], even["ed_time"]) == (0.6, 1.0)
    if known:
        assert (content["1.mp4"]["st_time"], content["1.mp4"]["ed_time"]) == (1.5, 10.5)
        assert "left out" not in printed
    else:
        assert content == {}
        assert "1 label written" in printed and "1 tasks left out: the times" in printed and "stvg sync" in printed
        assert "stvg sync" in (tmp_path / "a.json.datasheet.md").read_text()


def test_csv(known: bool, database_url: str, tmp_path: Path) -> None:
    export(database_url, "csv", tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = {(row["video"], int(row["frame"])): row["time_s"] for row in csv.DictReader(file)}
    assert float(rows["2.mp4", 20]) == 0.8
    for frame, second in ((15, 1.5), (19, 1.9), (20, 10.0), (25, 10.5)):
        assert rows["1.mp4", frame] == (str(second) if known else "")


def test_parquet(known: bool, database_url: str, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    export(database_url, "parquet", tmp_path / "a.parquet")
    rows = {row["video"]: row for row in parquet.read_table(tmp_path / "a.parquet").to_pylist()}
    assert (rows["2.mp4"]["start_s"], rows["2.mp4"]["end_s"]) == (0.6, 1.0)
    seconds = rows["1.mp4"]["start_s"], rows["1.mp4"]["end_s"]
    assert seconds == (pytest.approx((1.5, 10.5)) if known else (None, None))
