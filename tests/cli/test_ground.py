"""``stvg ground`` prints one JSON object and nothing else; mistakes are one line."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backend.cli import ground
from stvg_core.demo import MODEL_DIR
from stvg_core.drawing import outputs
from stvg_core.drawing.outputs import check_writable
from stvg_core.errors import StvgError
from stvg_core.notice import DEMO_NOTICE
from stvg_core.tube import Grounding
from stvg_core.version import model_version
from stvg_core.video import probe
from tests.cli.fake_grounder import FakeGrounder
from tests.video.painted import write_painted


def test_one_json_object_and_the_files_asked_for(clip: Path, tmp_path: Path) -> None:
    options = ["--overlay", str(tmp_path / "o.mp4"), "--plot", str(tmp_path / "p.png")]
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the grey thing ünder", *options])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["query"] == "the grey thing ünder"
    assert (found["start_frame"], found["end_frame"]) == (2, 5)
    assert found["boxes"]["5"] == [40.0, 24.0, 80.0, 48.0]
    assert (found["width"], found["height"], found["n_frames"], found["segment"]) == (160, 96, 10, None)
    assert found["split"] == {"attribute": found["query"], "action": found["query"], "by": None, "found": None}
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""  # no bar where stderr is no terminal
    assert probe(tmp_path / "o.mp4").n_frames == 10
    assert (tmp_path / "p.png").stat().st_size > 10_000


def test_the_demo_models_answers_say_so(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On stderr once, and in every JSON object; stdout stays JSON alone."""
    one = CliRunner().invoke(ground.command, [str(clip), "--query", "x"])
    assert json.loads(one.stdout)["warnings"] == [] and one.stderr == ""

    class Demo(FakeGrounder):
        def ground(self, *asked: Any, **more: Any) -> Grounding:
            return replace(super().ground(*asked, **more), model_version=model_version(MODEL_DIR))

    monkeypatch.setattr(ground, "_load", lambda *chosen: Demo())
    two = CliRunner().invoke(ground.command, [str(clip), "--query", "x", "--query", "y"])
    assert [json.loads(line)["warnings"] for line in two.stdout.splitlines()] == [[DEMO_NOTICE]] * 2
    assert two.stderr == f"warning: {DEMO_NOTICE}\n"


def test_seconds_are_the_pictures_own(clip: Path, tmp_path: Path) -> None:
    pts = [0, 40, 80, 5000, 5040, 5080, 5120]
    write_painted(tmp_path / "uneven.mp4", 7, pts=pts, time_base=Fraction(1, 1000))
    result = CliRunner().invoke(ground.command, [str(tmp_path / "uneven.mp4"), "--query", "the grey thing"])
    found = json.loads(result.stdout)
    assert (found["start_frame"], found["start_s"], found["end_s"]) == (2, 0.08, 5.08)


def test_a_line_for_each_sentence(clip: Path) -> None:
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the red one", "--query", "the blue one"])
    assert [json.loads(line)["query"] for line in result.stdout.splitlines()] == ["the red one", "the blue one"]


def test_pictures_belong_to_one_sentence(clip: Path, tmp_path: Path) -> None:
    options = ["--query", "a", "--query", "b", "--plot", str(tmp_path / "p.png")]
    result = CliRunner().invoke(ground.command, [str(clip), *options])
    assert isinstance(result.exception, StvgError) and "one sentence" in str(result.exception)


def test_the_endpoint_needs_an_address(tmp_path: Path) -> None:
    video = write_painted(tmp_path / "clip.mp4", 10)
    options = ["--query", "a", "--decomposer", "endpoint", "--llm-model", "some-model"]
    result = CliRunner().invoke(ground.command, [str(video), *options])
    assert isinstance(result.exception, StvgError) and "http://host" in str(result.exception)


def test_tracks_from_a_file_are_pixels(clip: Path, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps([{"frames": [0, 9], "boxes": [[16, 48, 32, 96]] * 2}]))
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "x", "--tracks", str(tmp_path / "t.json")])
    assert json.loads(result.stdout)["boxes"]["3"] == [16.0, 48.0, 32.0, 96.0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tracks_with_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "t.json").write_bytes('[{"frames": [1], "boxes": [[16, 48, 32, 96]]}]'.encode(encoding))
    [track] = ground.read_tracks(tmp_path / "t.json", 160, 96)
    assert track.frames.tolist() == [1]


@pytest.mark.parametrize(
    "content",
    [
        "nonsense",
        "{}",
        '[{"frames": [1]}]',
        '[{"frames": [2, 1], "boxes": [[0,0,1,1],[0,0,1,1]]}]',
        '[{"frames": [1.5], "boxes": [[0,0,9,9]]}]',
        '[{"frames": [-1], "boxes": [[0,0,9,9]]}]',
        '[{"frames": [1], "boxes": [[9,0,3,9]]}]',
        '[{"frames": [1], "boxes": [[900,0,990,9]]}]',
        '[{"frames": [1], "boxes": [[0.1,0.2,0.3,0.9]]}]',
        '[{"frames": [1], "boxes": [[0,0,9,9]], "score": 1' + "0" * 400 + "}]",
    ],
)
def test_unusable_tracks(content: str, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(content)
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "x", "--tracks", str(tmp_path / "t.json")])
    assert isinstance(result.exception, StvgError)
    assert "t.json" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.mp4", "--query", "x"], "no file"),
        (["clip.mp4", "--query", "  "], ""),
        (["clip.mp4", "--query", "x", "--overlay", "nowhere/o.mp4"], "no folder"),
    ],
)
def test_mistakes_are_one_line_on_stderr(arguments: list[str], words: str, clip: Path) -> None:
    program = "from backend.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, "ground", *arguments], cwd=clip.parent, capture_output=True, text=True,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": ""},
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_drawn_box_is_followed(clip: Path) -> None:
    info = probe(clip)
    box = f"0,{info.height / 4},{info.width / 2},{info.height}"
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the thing", "--box", box, "--frame", "3"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["boxes"] == {"3": [0, info.height / 4, info.width / 2, info.height]}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--box", "0,0,9,9"], "belong together"),
        (["--frame", "2"], "belong together"),
        (["--box", "0,0,9", "--frame", "2"], "four numbers"),
        (["--box", "a,b,c,d", "--frame", "2"], "four numbers"),
        (["--box", "9,9,9,9", "--frame", "2"], "empty"),
        (["--box", "0,0,9,9", "--frame", "10"], "frames 0 to 9"),
        (["--box", "0,0,9,9", "--frame", "2", "--query", "another"], "one sentence"),
    ],
)
def test_a_box_that_cannot_be_followed_is_said_before_the_model_is_loaded(
    clip: Path, options: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ground, "_load", lambda *chosen: pytest.fail("loaded"))
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the thing", *options])
    assert isinstance(result.exception, StvgError) and said in str(result.exception)


@pytest.mark.parametrize("name", ["12:30", "file:x", "http://x", "-i", "50%d", "%03d", "a'b\"c", "视频 ü", "n" * 250])
def test_files_with_odd_names_are_read_and_written(clip: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(clip.parent)
    video, overlay, plot = (Path(f"{name}{ending}") for ending in (".v", ".mp4", ".p"))
    if "/" in name:
        video.parent.mkdir(parents=True)
    clip.rename(video)
    words = ["--query", "the grey thing", "--overlay", str(overlay), "--plot", str(plot), "--", str(video)]
    result = CliRunner().invoke(ground.command, words)
    assert result.exit_code == 0, result.exception
    assert probe(overlay).n_frames == 10 and plot.read_bytes()[:4] == b"\x89PNG"
    assert sorted(path.name for path in video.absolute().parent.iterdir()) == sorted(
        path.name for path in (video, overlay, plot)
    )


@pytest.mark.parametrize("option", ["--overlay", "--plot"])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere/o", "no folder"),
        ("folder", "is a folder|is a directory"),
        ("closed/o", "cannot be written: Permission denied"),
        ("n" * 300, "cannot be written: File name too long"),
        ("clip.mp4", "other ones than the video"),
        ("file/o", "no folder"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_run(
    clip: Path, monkeypatch: pytest.MonkeyPatch, option: str, name: str, said: str
) -> None:
    monkeypatch.chdir(clip.parent)
    monkeypatch.setattr(ground, "_load", lambda *chosen: pytest.fail("the model was loaded"))
    Path("folder").mkdir()
    Path("closed").mkdir()
    Path("file").touch()
    if name == "closed/o":  # root may write everywhere, so the refusal is played
        monkeypatch.setattr(outputs, "growing", lambda *given: _refuse())
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the grey thing", option, name])
    assert result.exit_code != 0 and re.search(said, result.output + str(result.exception))
    assert sorted(path.name for path in clip.parent.rglob("*")) == ["clip.mp4", "closed", "file", "folder"]


def _refuse() -> None:
    raise PermissionError(errno.EACCES, "Permission denied")


def test_the_answer_is_printed_also_where_its_picture_cannot_be_written(
    clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise StvgError("o.mp4 cannot be written: No space left on device.")

    monkeypatch.setattr("stvg_core.drawing.write_overlay", fail)
    out = str(clip.parent / "o.mp4")
    result = CliRunner().invoke(ground.command, [str(clip), "--query", "the grey thing", "--overlay", out])
    assert isinstance(result.exception, StvgError) and json.loads(result.stdout)["start_frame"] == 2


def test_a_file_that_was_there_stays_until_the_new_one_is_whole(clip: Path) -> None:
    out = clip.parent / "o.mp4"
    out.write_bytes(b"old")
    check_writable(out)
    assert out.read_bytes() == b"old"
