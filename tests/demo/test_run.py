"""The demo fails in words, says so in summary.json, and never runs twice in one folder."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.demo import command
from backend.demo.clips import FRAME_RATES, choose_scenes, render_clips
from backend.demo.run import DemoOptions, run_demo
from backend.demo.summary import ProposedTube, Summary, check_lines, table
from backend.processes import ProcessError
from stvg_core.demo import MODEL_DIR
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version


def test_a_missing_label_studio_is_said_plainly_and_left_in_the_summary(tmp_path: Path) -> None:
    arguments = ["--check", "--folder", str(tmp_path), "--label-studio", str(tmp_path / "nowhere")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1
    assert "cannot be started" in result.output
    assert "Traceback" not in result.output
    left = json.loads((tmp_path / "summary.json").read_text())
    assert left["ok"] is False
    assert "cannot be started" in left["error"]


def test_two_demos_in_one_folder_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(ProcessError, match="another demo runs in"):
            run_demo(DemoOptions(tmp_path / "nowhere", tmp_path))


def test_one_failed_check_fails_the_run() -> None:
    summary = Summary()
    assert not summary.ok, "a run that checked nothing has shown nothing"
    assert summary.check("skipped tasks", [2], [2])
    assert summary.ok
    assert not summary.check("predictions per task", [1, 2], [1])
    assert not summary.ok
    assert check_lines(summary.checks) == (
        "ok      skipped tasks: [2]\nFAILED  predictions per task: [1, 2] (expected [1])"
    )


def test_a_defect_after_good_checks_is_no_success() -> None:
    summary = Summary(error="the worker ended")
    summary.check("skipped tasks", [2], [2])
    assert not summary.ok


def test_the_table_has_a_row_for_every_task() -> None:
    tubes = [
        ProposedTube(1, "a.mp4", "the red square", 25.0, (26, 50), keyframes=3, score=0.5, seconds=2.04),
        ProposedTube(2, "b.mp4", "the blue one", 10.0, seconds=1.0, problem="There is no video b.mp4."),
    ]
    header, rule, first, second, _, said = table(tubes).splitlines()
    assert header.split() == ["task", "query", "tube", "keyframes", "score", "took"]
    assert set(rule) == {"-"}
    assert "1.00-1.96 s (frames 26-50)" in first, "as the JSON and the review page have them"
    assert first.split()[-4:] == ["3", "0.50", "2.0", "s"]
    assert "counted from 1" in said and "when the frame begins" in said
    assert "There is no video b.mp4." in second


def test_the_table_says_once_that_it_is_the_demo_model() -> None:
    tubes = [ProposedTube(n, "a.mp4", "x", 25.0, (26, 50), model_version=model_version(MODEL_DIR)) for n in (1, 2)]
    assert table(tubes).count(DEMO_NOTICE) == 1 and table(tubes).endswith(DEMO_NOTICE)
    assert "demo model" not in table([ProposedTube(1, "a.mp4", "x", 25.0, (26, 50), model_version="real@1/2")])


def test_the_clips_have_every_frame_rate_equally_often_and_whole_truths() -> None:
    scenes = choose_scenes(6)
    assert Counter(scene.fps for scene in scenes.values()) == dict.fromkeys(FRAME_RATES, 2)
    assert scenes == choose_scenes(6), "the same clips each time"
    assert len({scene.query for scene in scenes.values()}) == 6
    for scene in scenes.values():
        start, end = scene.truth
        assert not np.isnan(scene.boxes(scene.target, np.arange(start, end + 1))).any()


def test_a_folder_that_is_used_again_keeps_its_clips(tmp_path: Path) -> None:
    """Labels lie on them: neither another count nor another run may put other pictures under a name."""
    first = {clip.path: clip.path.read_bytes() for clip in render_clips(tmp_path, 1)}
    again = render_clips(tmp_path, 2)
    assert set(first) < {clip.path for clip in again}
    assert all(path.read_bytes() == content for path, content in first.items())
    assert not list(tmp_path.glob("unfinished*"))
    by_number = choose_scenes(2)
    for clip in again:
        assert clip.query == by_number[int(clip.path.stem.removeprefix("clip-"))].query
