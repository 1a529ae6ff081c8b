"""Task files, imports without doubles, and the true frame rate in every task."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.labelstudio.config import read_config
from backend.labelstudio.payloads import PayloadError
from backend.labelstudio.tasks import import_missing, local_file_address, read_tasks, write_frame_rates
from stvg_core.errors import VideoError
from tests.labelstudio.bodies import CONFIG, RENAMED_CONFIG
from tests.labelstudio.fake_label_studio import FakeLabelStudio

OURS, THEIRS = read_config(CONFIG), read_config(RENAMED_CONFIG)


@dataclass(frozen=True)
class Facts:
    fps: float
    variable_rate: bool = False


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "tasks.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_plain_and_label_studio_entries_are_read(tmp_path: Path) -> None:
    entries = [{"video": " a.mp4 ", "query": "the man"}, {"data": {"video": "b.mp4", "caption": "a dog", "id": 4}}]
    path = written(tmp_path, entries)
    assert read_tasks(path, OURS, str.upper) == [
        {"video": "A.MP4", "query": "the man"},
        {"video": "B.MP4", "query": "a dog", "id": 4},
    ]
    # A team's interface reads other keys.
    assert read_tasks(path, THEIRS, str)[0] == {"movie": "a.mp4", "sentence": "the man"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("no json", "is not JSON"),
        ({"video": "a"}, "list of tasks"),
        (["a.mp4"], "Task 1 .* no object"),
        ([{"query": "x"}], 'Task 1 .* no "video"'),
        ([{"video": "a", "query": "x"}, {"video": "b", "query": " "}], 'Task 2 .* no "query"'),
    ],
)
def test_a_bad_task_file_is_refused_by_entry(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(PayloadError, match=said):
        read_tasks(written(tmp_path, content), OURS, str)


def test_a_missing_task_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(PayloadError, match="No such file"):
        read_tasks(tmp_path / "none.json", OURS, str)


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
