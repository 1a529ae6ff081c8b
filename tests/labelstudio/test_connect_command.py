"""``stvg connect`` from the command line: what it prints, and what it says when something is missing."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.cli import connect as module
from backend.db import projects, schema
from backend.db.engine import Database
from backend.db.local_tasks import LocalTasks, Wanted
from backend.db.tables import Task
from labeling_config import video_tube
from stvg_core.demo import MODEL_DIR
from stvg_core.errors import StvgError, VideoError
from stvg_core.notice import DEMO_NOTICE
from stvg_core.tube import VideoInfo
from stvg_core.version import model_version
from stvg_core.video import iter_frames
from stvg_core.video import probe as real_probe
from tests.labelstudio.bodies import RENAMED_CONFIG
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
        if path.name not in rates:
            raise VideoError(f"{path.name} is not a video.")
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
    assert "imported 2 tasks" in printed and "wrote the frame rate into 0 tasks, 2 had it" in printed
    assert "asked for tubes for 2 tasks" in printed
    assert printed.endswith("http://ls.test/projects/1/data\n")
    assert [task["data"] for task in ls.all("tasks")] == [
        {"video": "/data/local-files/?d=clips/a.mp4", "query": "x", "fps": 10.0},
        {"video": "/data/local-files/?d=clips/b.mp4", "query": "y", "fps": 25.0},
    ]
    assert ls.all("ml")[0]["url"] == "http://127.0.0.1:9090"
    # The frame rates come along, so they are there before anything is asked.
    assert ls.changes.index("POST projects/1/import") < ls.changes.index("POST dm/actions")
    for secret in ("5ec4e7", "pa:ss", "hook-token"):
        assert secret not in printed

    ls.changes.clear()
    again = run(*arguments[:4])
    assert "imported 0 tasks, skipped 2 already present" in again and "0 tasks, 2 had it" in again
    assert ls.changes == ["PATCH ml/1"]


def test_the_demo_model_is_named_by_what_the_service_told_label_studio(run: Run, ls: FakeLabelStudio) -> None:
    assert "demo model" not in run()
    for version, said in ((model_version(MODEL_DIR), True), ("real@1/2", False)):
        ls.all("ml")[0]["model_version"] = version
        assert (f"warning: {DEMO_NOTICE}\n" in run()) is said


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
    assert "imported 0 tasks, skipped 2 already present" in printed and "gave 1 tasks a copy" in printed
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
    assert (
        "imported 0 tasks, skipped 2 already present" in again
        and "gave 0 tasks a copy that browsers play, 1 had it" in again
    )
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


def refused(*arguments: object) -> tuple[StvgError, str]:
    """The error of a run that makes nothing, and what stood on stderr before it."""
    command = ["--project", "clips", *map(str, arguments)]
    result = CliRunner().invoke(module.command, command)
    assert isinstance(result.exception, StvgError), result.output
    assert result.stdout == ""
    return result.exception, result.stderr


BAD = """video,query
a.mp4,x
gone.mp4,x
notes.mp4,x
a.mp4,
a.mp4,  x
b.mp4,the man, who sits
b.mp4,y
"""


@pytest.mark.usefixtures("run")
def test_a_bad_file_makes_nothing_and_all_of_it_is_named(ls: FakeLabelStudio, folder: Path, tmp_path: Path) -> None:
    (folder / "notes.mp4").write_text("buy milk")
    tasks = tmp_path / "tasks.csv"
    tasks.write_text(BAD)
    error, said = refused("--videos", folder, "--tasks", tasks)
    assert "5 of 7 tasks" in str(error) and "Nothing was made" in str(error) and "--skip-bad" in str(error)
    assert said.splitlines() == [
        f"line 3 (record 2): There is no video {folder / 'gone.mp4'}.",
        "line 4 (record 3): notes.mp4 is not a video.",
        'line 5 (record 4): has an empty "query"',
        "line 6 (record 5): has the same video and sentence as line 2 (record 1)",
        "line 7 (record 6): has 3 cells, the header has 2: is a sentence with a separator in it without quotes?",
    ]
    assert ls.changes == [] and ls.all("projects") == []


def test_bad_tasks_are_left_out_when_that_is_asked_for(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path
) -> None:
    (folder / "notes.mp4").write_text("buy milk")
    tasks = tmp_path / "tasks.csv"
    tasks.write_text(BAD)
    printed = run("--videos", folder, "--tasks", tasks, "--skip-bad")
    assert "warning: 5 of 7 tasks" in printed and "line 4 (record 3)" in printed and "imported 2 tasks" in printed
    assert [task["data"]["query"] for task in ls.all("tasks")] == ["x", "y"]
    assert "imported 0 tasks, skipped 2" in run("--videos", folder, "--tasks", tasks, "--skip-bad")
    tasks.write_text("video,query\ngone.mp4,x\n")
    error, _ = refused("--videos", folder, "--tasks", tasks, "--skip-bad")
    assert "1 of 1 tasks" in str(error)


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize(
    ("video", "more", "said"),
    [
        ("a.mp4", (), "Give its folder"),
        ("gone.mp4", ("--videos",), "no video"),
        ("../../../etc/passwd", ("--videos",), "no video|outside"),
        ("clips/\x00.mp4", ("--videos",), "is no file name"),
        ("n" * 300 + ".mp4", ("--videos",), "no name that a file can have|no video"),
    ],
)
def test_a_video_that_is_not_there_is_named(
    ls: FakeLabelStudio, folder: Path, tmp_path: Path, video: str, more: tuple[str, ...], said: str
) -> None:
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": video, "query": "x"}]))
    _, listing = refused("--tasks", tasks, *(value for option in more for value in (option, folder)))
    assert re.search(f"^record 1: .*({said})", listing)
    assert ls.changes == []


def test_the_keys_are_those_of_the_projects_own_interface(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path
) -> None:
    ls.add("projects", title="clips", label_config=RENAMED_CONFIG)
    tasks = tmp_path / "tasks.csv"
    tasks.write_text("film;sentence\na.mp4;x\n")
    error, _ = refused("--videos", folder, "--tasks", tasks)
    assert 'no column "movie" or "video"' in str(error) and "'film', 'sentence'" in str(error)
    assert ls.changes == []
    tasks.write_text("Movie;sentence\na.mp4;x\n")
    run("--videos", folder, "--tasks", tasks)
    assert ls.all("tasks")[0]["data"] == {
        "movie": "/data/local-files/?d=clips/a.mp4", "sentence": "x", "rate": 10.0,
    }  # fmt: skip


def test_each_video_is_read_once_for_checks_and_frame_rates(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    known = module.probe

    def counting(path: Path) -> VideoInfo:
        read.append(path.name)
        return known(path)

    monkeypatch.setattr(module, "probe", counting)
    ls.add("projects", title="clips", label_config=video_tube())
    ls.add("tasks", project=1, data={"video": "/data/local-files/?d=clips/b.mp4", "query": "old"})
    tasks = tmp_path / "tasks.jsonl"
    tasks.write_text("".join(json.dumps({"video": "a.mp4", "query": f"q{n}"}) + "\n" for n in range(40)))
    printed = run("--videos", folder, "--tasks", tasks)
    assert sorted(read) == ["a.mp4", "b.mp4"]
    assert "wrote the frame rate into 1 tasks, 40 had it" in printed


def test_a_name_in_another_spelling_is_found(run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path) -> None:
    """One accent, written as one code point in the file and as two on the disk."""
    (folder / "a.mp4").rename(folder / "cafe\u0301.mp4")
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": "café.mp4", "query": "x"}]))
    _, said = refused("--videos", folder, "--tasks", tasks)
    assert "is not a video" in said and "no video" not in said, "it was found, and the probe of this test refused it"


def test_a_folder_whose_name_is_not_utf8_is_refused(run: Run, ls: FakeLabelStudio, folder: Path) -> None:
    bad = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    bad.mkdir()
    with pytest.raises(StvgError, match="not UTF-8"):
        run("--videos", bad)
    assert ls.changes == []


def test_a_video_that_may_not_be_read_is_a_problem(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path) -> VideoInfo:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "probe", denied)
    tasks = tmp_path / "tasks.json"
    tasks.write_text(json.dumps([{"video": "a.mp4", "query": "x"}]))
    _, said = refused("--videos", folder, "--tasks", tasks)
    assert "a.mp4 cannot be read: Permission denied" in said and ls.changes == []


def test_an_option_without_its_file_is_refused() -> None:
    for option in (("--skip-bad",), ("--encoding", "latin-1")):
        done = CliRunner().invoke(module.command, ["--project", "clips", *option])
        assert done.exit_code == 2 and "--tasks" in done.output


def test_an_address_that_is_none_is_refused(run: Run, ls: FakeLabelStudio) -> None:
    with pytest.raises(StvgError, match="is no address"):
        run("--backend-url", "localhost:9090")
    assert ls.changes == []


def test_a_local_project_is_put_there_once(
    run: Run, ls: FakeLabelStudio, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(f"sqlite:///{tmp_path}/stvg.sqlite3")
    schema.upgrade(database.engine)
    monkeypatch.setenv("STVG_DATABASE_URL", f"sqlite:///{tmp_path}/stvg.sqlite3")
    with database.write() as session:
        number = projects.local(session, "mine", video_tube()).id
        wanted = [
            Wanted(path.as_uri(), "the man", {"video": path.as_uri(), "query": "the man", "split": "x"}, path.name)
            for path in (folder / "a.mp4", folder / "b.mp4", tmp_path / "outside.mp4")
        ]
        (tmp_path / "outside.mp4").write_bytes(b"x")
        LocalTasks(number).add(session, wanted)
    printed = run("--videos", folder, "--from", "mine")
    assert "put 2 tasks there; 2 belong to the project now, 0 of them with a suggestion" in printed
    assert "outside.mp4" in printed and "document root" in printed and "1 tasks stay local" in printed
    assert "wrote the frame rate into 0 tasks, 2 had it" in printed, "they came with it"
    assert [(task["data"]["video"], task["data"]["split"], task["data"]["fps"]) for task in ls.all("tasks")] == [
        ("/data/local-files/?d=clips/a.mp4", "x", 10.0), ("/data/local-files/?d=clips/b.mp4", "x", 25.0),
    ]  # fmt: skip
    assert "put 0 tasks there; 0 belong to the project now" in run("--videos", folder, "--from", "mine")
    assert len(ls.all("tasks")) == 2
    with database.read() as session:
        found = session.execute(select(Task.project_id, Task.ls_task_id, Task.name).order_by(Task.id)).all()
    database.close()
    assert [tuple(row) for row in found] == [(1, 1, "a.mp4"), (1, 2, "b.mp4"), (number, 3, "outside.mp4")]
    for name in ("other", "12"):
        error, _ = refused("--from", name)
        assert name in str(error)


def test_instructions_are_written_once_and_a_file_takes_their_place(
    run: Run, ls: FakeLabelStudio, tmp_path: Path
) -> None:
    assert "wrote the instructions for annotators" in run()
    assert "as they should be" in run()
    own = tmp_path / "own.html"
    own.write_text("\ufeff<p>Mind the dog.</p>\n", encoding="utf-8")
    assert "replaced the instructions for annotators" in run("--instructions", own)
    assert "keeps its own instructions" in run()
    assert ls.all("projects")[0]["expert_instruction"] == "<p>Mind the dog.</p>"


@pytest.mark.usefixtures("run")
@pytest.mark.parametrize("content", [b"", b" \n", b"caf\xe9", b"a\x00b"])
def test_a_file_of_instructions_that_is_no_text_makes_nothing(
    ls: FakeLabelStudio, tmp_path: Path, content: bytes
) -> None:
    own = tmp_path / "own.html"
    own.write_bytes(content)
    error, _ = refused("--instructions", own)
    assert "own.html" in str(error) and ls.changes == []
