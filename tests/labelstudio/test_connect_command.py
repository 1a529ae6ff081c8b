"""``stvg connect`` from the command line: what it prints, and what it says when something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli import connect as module
from stvg_core.errors import StvgError
from stvg_core.tube import VideoInfo
from stvg_core.video import iter_frames
from stvg_core.video import probe as real_probe
from tests.labelstudio.fake_label_studio import FakeLabelStudio
from tests.video.painted import read_number, write_painted

ENVIRONMENT = {
    "STVG_LABEL_STUDIO_URL": "http://ls.test",
    "STVG_LABEL_STUDIO_TOKEN": "5ec4e7",
    "STVG_USERNAME": "ls",
    "STVG_PASSWORD": "pa:ss",
    "STVG_WEBHOOK_TOKEN": "hook-token",
}
Run = Callable[..., str]


@pytest.fixture
def ls() -> FakeLabelStudio:
    return FakeLabelStudio()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A document root with two videos; what they hold is never looked at, because the probe is replaced."""
    clips = tmp_path / "root" / "clips"
    clips.mkdir(parents=True)
    for name in ("a.mp4", "b.mp4"):
        (clips / name).write_bytes(b"x")
    return clips


@pytest.fixture
def run(ls: FakeLabelStudio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command against the fake; its output, or the error that ``stvg`` would print."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STVG_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(module, "LabelStudioClient", lambda url, token: ls.client())
    rates = {"a.mp4": 10, "b.mp4": 25}

    def probe(path: Path) -> VideoInfo:
        return VideoInfo(str(path), 320, 240, rates[path.name], 1, 50, 2.0)

    monkeypatch.setattr(module, "probe", probe)

    def invoke(*arguments: object) -> str:
        command = ["--project", "clips", *map(str, arguments)]
        result = CliRunner().invoke(module.command, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


def test_a_project_with_its_tasks_in_one_command(run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": "a.mp4", "query": "x"}, {"video": "b.mp4", "query": "y"}]))
    arguments = ("--videos", folder, "--tasks", tasks, "--predict")
    printed = run(*arguments)
    assert "imported 2 tasks" in printed and "wrote the frame rate into 2 tasks" in printed
    assert "asked for tubes for 2 tasks" in printed
    assert printed.endswith("http://ls.test/projects/1/data\n")
    assert [task["data"] for task in ls.all("tasks")] == [
        {"video": "/data/local-files/?d=clips/a.mp4", "query": "x", "fps": 10.0},
        {"video": "/data/local-files/?d=clips/b.mp4", "query": "y", "fps": 25.0},
    ]
    assert ls.all("ml")[0]["url"] == "http://127.0.0.1:9090"
    # The frame rates are there before anything is asked.
    assert ls.changes.index("PATCH tasks/2") < ls.changes.index("POST dm/actions")
    for secret in ("5ec4e7", "pa:ss", "hook-token"):
        assert secret not in printed

    ls.changes.clear()
    again = run(*arguments[:4])
    assert "imported 0 tasks, 2 were there" in again and "0 tasks, 2 had it" in again
    assert ls.changes == ["PATCH ml/1"]


def test_videos_that_browsers_do_not_play_are_named_and_copied(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "probe", real_probe)
    write_painted(folder / "old.avi", 12, codec="mpeg4")
    write_painted(folder / "good.mp4", 12, gop=4)
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": name, "query": "x"} for name in ("old.avi", "good.mp4")]))
    arguments = ("--videos", folder, "--tasks", tasks)
    printed = run(*arguments)
    assert "task 1: Its container, AVI, is played by no browser." in printed and "MPEG-4 Part 2" in printed
    assert "task 2" not in printed

    copies = folder.parent / "copies"
    printed = run(*arguments, "--transcode", copies)
    assert "imported 0 tasks, 2 were there" in printed and "gave 1 tasks a copy" in printed
    [made] = copies.iterdir()
    assert ls.all("tasks")[0]["data"] == {
        "video": f"/data/local-files/?d=copies/{made.name}",
        "stvg_original": "/data/local-files/?d=clips/old.avi",
        "query": "x",
        "fps": 25.0,
    }
    assert ls.all("tasks")[1]["data"]["video"] == "/data/local-files/?d=clips/good.mp4"
    assert {storage["path"] for storage in ls.all("storages/localfiles")} == {str(folder), str(copies)}
    assert [read_number(picture) for _, picture in iter_frames(real_probe(made))] == list(range(12))

    ls.changes.clear()
    written = made.stat().st_mtime_ns
    again = run(*arguments, "--transcode", copies)
    assert "imported 0 tasks, 2 were there" in again and "gave 0 tasks a copy that browsers play, 1 had it" in again
    assert ls.changes == ["PATCH ml/1"] and made.stat().st_mtime_ns == written


def test_copies_must_lie_where_label_studio_serves_them(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(StvgError, match="outside Label Studio's document root"):
        run("--videos", folder, "--transcode", tmp_path / "elsewhere")
    with pytest.raises(StvgError, match="--document-root"):
        run("--transcode", tmp_path / "elsewhere")
    assert ls.changes == [] and not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("STVG_LABEL_STUDIO_URL", "--url"),
        ("STVG_LABEL_STUDIO_TOKEN", "--token"),
        ("STVG_PASSWORD", "STVG_USERNAME and STVG_PASSWORD"),
    ],
)
def test_what_is_missing_is_named(run: Run, monkeypatch: pytest.MonkeyPatch, missing: str, said: str) -> None:
    monkeypatch.delenv(missing)
    with pytest.raises(StvgError, match=said):
        run()


@pytest.mark.parametrize(
    ("video", "more", "said"),
    [
        ("a.mp4", (), "Give its folder"),
        ("gone.mp4", ("--videos",), "no video"),
        ("../../../etc/passwd", ("--videos",), "no video|outside"),
    ],
)
def test_a_video_that_is_not_there_is_named(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path, video: str, more: tuple[str, ...], said: str
) -> None:
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": video, "query": "x"}]))
    with pytest.raises(StvgError, match=said):
        run("--tasks", tasks, *(value for option in more for value in (option, folder)))
    assert ls.all("tasks") == []


def test_an_address_that_is_none_is_refused(run: Run, ls: FakeLabelStudio) -> None:
    with pytest.raises(StvgError, match="is no address"):
        run("--backend-url", "localhost:9090")
    assert ls.changes == []
