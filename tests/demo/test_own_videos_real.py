"""The demo's whole loop with a folder of one's own videos, beside a real Label Studio."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest

from backend.processes import own_command
from stvg_core.demo.clips import split_scene, write_clip
from tests.conftest import LABEL_STUDIO, ROOT

pytestmark = pytest.mark.label_studio


def test_what_can_be_used_goes_the_whole_way_and_the_exit_status_tells_the_rest(tmp_path: Path) -> None:
    if not LABEL_STUDIO.exists():
        pytest.skip("NO LABEL STUDIO in .venv-ls: the demo with own videos was not run. `make setup-all` installs it.")
    folder, home = tmp_path / "own videos", tmp_path / "demo"
    folder.mkdir()
    lines = [("video", "query"), ("gone.mp4", "the dog")]
    for number in range(3):
        scene = split_scene("demo", number, difficulty="easy", max_seconds=3.0)
        write_clip(folder / f"film {number}.mp4", scene).with_suffix(".json").unlink()
        lines.append((f"film {number}.mp4", scene.query))
    lines.append(("film 0.mp4", "the other one"))
    with (folder / "tasks.csv").open("w", newline="") as file:
        csv.writer(file).writerows(lines)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    words = ["demo", "--check", "--label-studio", str(LABEL_STUDIO), "--folder", str(home), "--videos", str(folder)]
    done = subprocess.run(
        own_command(*words), capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"left out: line 2 (record 1): There is no video {folder / 'gone.mp4'}." in done.stderr
    summary = json.loads((home / "summary.json").read_text())
    assert summary["ok"] is True and len(summary["checks"]) == 20 and len(summary["left_out"]) == 1
    assert [(tube["video"], tube["query"]) for tube in summary["tubes"]] == lines[2:]
    assert {tube["viou"] for tube in summary["tubes"]} == {None} and "mean_viou" not in summary
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before, "the folder stays as it was"
