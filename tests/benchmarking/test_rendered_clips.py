"""``stvg benchmark rendered`` for real, in small: workers of its own, the embedded model, the report, and going on."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select

from backend.benchmarking import rendered_clips
from backend.db.engine import Database
from backend.db.tables import Job
from stvg_core.demo import MODEL_DIR
from stvg_core.demo.clips import split_scene
from stvg_core.demo.truths import scene_truth
from stvg_core.version import model_version

CLIPS = 2


def benchmark(out: Path) -> subprocess.CompletedProcess[str]:
    start = "from backend.cli.main import main; main()"
    asked = ["benchmark", "rendered", "--limit", str(CLIPS), "--out", str(out)]
    return subprocess.run([sys.executable, "-c", start, *asked], capture_output=True, text=True, check=False)


def test_the_whole_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STVG_MODEL", raising=False)
    monkeypatch.setenv("STVG_DATABASE_URL", "sqlite:////nowhere/other.sqlite3")  # not the benchmark's
    out = tmp_path / "out"
    done = benchmark(out)
    assert done.returncode == 0, done.stdout + done.stderr
    version = model_version(MODEL_DIR)
    [folder] = [path.parent for path in out.glob("*/report.md")]
    assert folder.name.startswith("llava-onevision-embedded_") and folder.name.endswith(f"-first-{CLIPS}-hcstvg")

    summary = json.loads((folder / "summary.json").read_text())
    assert (summary["sentences"], summary["scored"], summary["failed"], summary["missing"]) == (CLIPS, CLIPS, 0, 0)
    assert summary["model_version"] == version and summary["settings_digest"] == version.rpartition("/")[2]
    assert {"stvg", "code", "torch", "transformers"} <= summary["made_with"].keys()
    assert summary["seconds_per_video"] > 0 and summary["settings"]["n_slots"] >= 1
    ours = summary["table"]["rendered"]["ours"]

    with (folder / "rows.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sentence"] for row in rows] == [split_scene("test", n).query for n in range(CLIPS)]
    for number, row in enumerate(rows):
        truth = scene_truth(split_scene("test", number))
        assert (row["true_first"], row["true_last"]) == (str(truth.start_frame), str(truth.end_frame))
        assert (row["state"], row["model_version"]) == ("scored", version)
    for name, column in (("m_vIoU", "vIoU"), ("m_tIoU", "tIoU"), ("m_gt_vIoU", "gt_vIoU")):
        assert ours[name]["mean"] == pytest.approx(np.mean([float(row[column]) for row in rows]), abs=1e-5)
    assert 0.2 < ours["m_vIoU"]["mean"] <= 1, "the embedded model is far better than chance on these clips"

    report = (folder / "report.md").read_text()
    assert f"| {CLIPS} | {100 * ours['m_tIoU']['mean']:.1f} | {100 * ours['m_vIoU']['mean']:.1f} |" in report
    assert report.splitlines()[6] in done.stdout and "demo model" in report and str(tmp_path) not in report
    for picture in ("viou_histogram.png", "tiou_by_length.png"):
        assert (folder / picture).read_bytes().startswith(b"\x89PNG") and picture in report

    database = Database(f"sqlite:///{out}/answers.sqlite3")
    with database.read() as session:
        finished = [job.finished_at for job in session.scalars(select(Job).order_by(Job.id))]
    before = (folder / "rows.csv").read_bytes()
    again = benchmark(out)
    assert again.returncode == 0 and f"{CLIPS} sentences, 0 to be grounded" in again.stderr
    with database.read() as session:
        assert [job.finished_at for job in session.scalars(select(Job).order_by(Job.id))] == finished
    database.close()
    assert (folder / "rows.csv").read_bytes() == before


def test_clips_are_rendered_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = rendered_clips.of_rendered(tmp_path, 1)
    [clip] = tmp_path.glob("*.mp4")
    before = clip.stat().st_mtime_ns
    assert made.records[0].name == clip.name
    more = rendered_clips.of_rendered(tmp_path, 2)
    assert clip.stat().st_mtime_ns == before and len(more.records) == 2 and more.identity == made.identity

    def broken(path: Path, scene: object) -> Path:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(rendered_clips, "write_clip", broken)
    with pytest.raises(KeyboardInterrupt):
        rendered_clips.of_rendered(tmp_path, 3)
    assert len(list(tmp_path.glob("test-*.mp4"))) == 2, "what is half written is not taken for a clip"
