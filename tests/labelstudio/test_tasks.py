"""Imports without doubles, and the true frame rate in every task."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.tasks import import_missing, local_file_address, write_frame_rates
from stvg_core.errors import VideoError
from tests.labelstudio.bodies import CONFIG
from tests.labelstudio.fake_label_studio import FakeLabelStudio

OURS = read_config(CONFIG)


@dataclass(frozen=True)
class Facts:
    fps: float
    variable_rate: bool = False


def test_files_below_the_document_root_get_label_studios_address(tmp_path: Path) -> None:
    (tmp_path / "root" / "clips").mkdir(parents=True)
    inside = tmp_path / "root" / "clips" / "a b.mp4"
    outside = tmp_path / "c.mp4"
    for file in (inside, outside):
        file.touch()
    link = tmp_path / "root" / "clips" / "link.mp4"
    link.symlink_to(outside)
    assert local_file_address(inside, tmp_path / "root") == "/data/local-files/?d=clips/a%20b.mp4"
    for file in (outside, link, tmp_path / "root" / ".." / "c.mp4"):
        with pytest.raises(PayloadError, match="outside"):
            local_file_address(file, tmp_path / "root")
    with pytest.raises(PayloadError, match="no video"):
        local_file_address(tmp_path / "root" / "clips" / "gone.mp4", tmp_path / "root")


def test_only_missing_tasks_are_imported() -> None:
    ls = FakeLabelStudio()
    first = [{"video": "a", "query": "x"}, {"video": "a", "query": "y"}]
    assert import_missing(ls.client(), 1, OURS, first) == 2
    # A frame rate written in the meantime makes no new task of an old one; a double in the file counts once.
    ls.rows["tasks"][1]["data"]["fps"] = 25
    assert (
        import_missing(ls.client(), 1, OURS, [*first, {"video": "b", "query": "x"}, {"video": "b", "query": "x"}]) == 1
    )
    assert import_missing(ls.client(), 1, OURS, first) == 0
    assert [task["data"]["video"] for task in ls.all("tasks")] == ["a", "a", "b"]


def test_a_sentence_that_was_stored_uncleaned_is_still_the_same() -> None:
    ls = FakeLabelStudio()
    ls.add("tasks", project=1, data={"video": "a", "query": "the  cafe\u0301 \u200b"})
    assert import_missing(ls.client(), 1, OURS, [{"video": "a", "query": "the café"}]) == 0


def test_a_nested_key_is_no_new_task_on_the_second_run() -> None:
    ls = FakeLabelStudio()
    config = read_config(CONFIG.replace("$video", "$media.url"))
    tasks = [{"media": {"url": name}, "query": "x"} for name in "ab"]
    assert import_missing(ls.client(), 1, config, tasks) == 2
    assert import_missing(ls.client(), 1, config, tasks) == 0


def test_many_tasks_go_out_in_several_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.labelstudio.tasks._AT_ONCE", 4)
    ls = FakeLabelStudio()
    tasks = [{"video": str(number), "query": "x"} for number in range(10)]
    assert import_missing(ls.client(), 1, OURS, tasks) == 10
    assert ls.changes == ["POST projects/1/import"] * 3
    assert [task["data"] for task in ls.all("tasks")] == tasks


def test_each_task_gets_its_own_videos_frame_rate() -> None:
    ls = FakeLabelStudio()
    for data in ({"video": "a", "query": "x"}, {"video": "b", "fps": 24}, {"video": "c", "fps": 29.97}):
        ls.add("tasks", project=1, data=data)
    rates = {"a": 10.0, "b": 25.0, "c": 30000 / 1001}
    report = write_frame_rates(ls.client(), OURS, ls.all("tasks"), lambda task: Facts(rates[task["data"]["video"]]))
    assert (report.written, report.right, report.warnings) == (2, 1, [])
    assert ls.all("tasks")[0]["data"] == {"video": "a", "query": "x", "fps": 10.0}
    assert [task["data"]["fps"] for task in ls.all("tasks")] == [10.0, 25.0, 29.97]


def test_a_varying_rate_and_a_broken_video_are_reported() -> None:
    ls = FakeLabelStudio()
    for name in ("varies", "broken", "good"):
        ls.add("tasks", project=1, data={"video": name})

    def probe(task: dict[str, Any]) -> Facts:
        if task["data"]["video"] == "broken":
            raise VideoError("not a video.")
        return Facts(25.0, variable_rate=task["data"]["video"] == "varies")

    report = write_frame_rates(ls.client(), OURS, ls.all("tasks"), probe)
    assert report.written == 2
    assert ["varies" in warning or "not a video" in warning for warning in report.warnings] == [True, True]
    assert report.warnings[0].startswith("task 1:") and report.warnings[1] == "task 2: not a video."
    assert "fps" not in ls.all("tasks")[1]["data"]


def test_an_interface_with_a_fixed_rate_is_warned_about_per_task() -> None:
    ls = FakeLabelStudio()
    for _ in range(2):
        ls.add("tasks", project=1, data={"video": "a"})
    fixed = read_config(CONFIG.replace('frameRate="$fps"', 'frameRate="24"'))
    rates = iter([24.0, 25.0])
    report = write_frame_rates(ls.client(), fixed, ls.all("tasks"), lambda task: Facts(next(rates)))
    assert (report.written, report.right) == (0, 1)
    assert ls.changes == []
    [warning] = report.warnings
    assert warning.startswith("task 2: Label Studio counts 24") and 'frameRate="$fps"' in warning
