"""A folder of one's own videos for the demo: what can be used of it, and what is said of the rest."""

from __future__ import annotations

import json
import shutil
from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from backend.cli.demo import command
from backend.demo.clips import DemoClip
from backend.demo.loop import DemoProject
from backend.demo.own_videos import MOST, OwnVideosError, read_own
from backend.demo.run import DemoOptions, _answered, run_demo
from backend.demo.summary import NO_TRUTH, ProposedTube, Summary, table
from backend.labelstudio.config import read_config
from labeling_config import video_tube
from stvg_core.errors import StvgError
from tests.e2e.painted_clip import paint_clip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two films that are not the same."""
    made = tmp_path / "my films"
    made.mkdir()
    paint_clip(made / "a film.mp4", Fraction(10))
    paint_clip(made / "b.mp4", Fraction(25))
    return made


def write(folder: Path, *lines: str) -> None:
    (folder / "tasks.csv").write_text("\n".join(["video,query", *lines]) + "\n", encoding="utf-8")


def test_a_folder_without_a_table_is_told_how_to_write_one(folder: Path) -> None:
    with pytest.raises(OwnVideosError) as caught:
        read_own(folder)
    said = str(caught.value)
    assert f"There is no tasks.csv in {folder}" in said
    assert said.endswith("\nvideo,query\na film.mp4,the man in red who sits down\nb.mp4,the dog that jumps")
    example = said.partition("for example:\n")[2]
    (folder / "tasks.csv").write_text(example + "\n")
    assert len(read_own(folder).clips) == 2, "the example can be used as it stands"


def test_an_empty_folder_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(OwnVideosError, match=r"no video in the folder either(.|\n)*a\.mp4,the man in red"):
        read_own(tmp_path)


def test_each_line_is_a_clip_without_a_truth(folder: Path) -> None:
    write(folder, "b.mp4,the dog", "a film.mp4,the cat", 'b.mp4,"the  dog, that sits"')
    own = read_own(folder)
    assert [(clip.path.name, clip.query, clip.fps) for clip in own.clips] == [
        ("b.mp4", "the dog", 25.0), ("a film.mp4", "the cat", 10.0), ("b.mp4", "the dog, that sits", 25.0),
    ]  # fmt: skip
    assert all(clip.truth is None and clip.n_frames > 10 for clip in own.clips)
    assert own.left_out == [] and own.unnamed == []


def test_what_cannot_be_used_is_named_and_the_others_stay(folder: Path, tmp_path: Path) -> None:
    (folder / "broken.mp4").write_bytes(b"no video")
    (folder / "extra.MP4").write_bytes(b"nobody names it")
    shutil.copy(folder / "b.mp4", folder / "copy.mp4")
    (tmp_path / "outside.mp4").write_bytes((folder / "b.mp4").read_bytes())
    (folder / "link.mp4").symlink_to(tmp_path / "outside.mp4")
    write(
        folder, "b.mp4,the dog", "broken.mp4,the cat", "gone.mp4,the hen", "a film.mp4,", "copy.mp4,the cow",
        "link.mp4,the ox", "../outside.mp4,the ox", "https://host.example/c.mp4,the ox", "b.mp4,the dog",
    )  # fmt: skip
    own = read_own(folder)
    assert [(clip.path.name, clip.query) for clip in own.clips] == [("b.mp4", "the dog")]
    expected = [
        "line 3 (record 2): broken.mp4", "gone.mp4", "line 5 (record 4): has an empty", "link.mp4 lies outside",
        "../outside.mp4 lies outside", "'https://host.example/c.mp4' is an address",
        "line 10 (record 9): has the same video and sentence", "copy.mp4 is a copy of b.mp4",
    ]  # fmt: skip
    missing = [part for part, line in zip(expected, own.left_out, strict=True) if part not in line]
    assert missing == [], "\n".join(own.left_out)
    assert own.unnamed == ["extra.MP4"]


def test_videos_of_one_name_in_two_folders(folder: Path) -> None:
    (folder / "more").mkdir()
    paint_clip(folder / "more" / "b.mp4", Fraction(10))
    write(folder, "b.mp4,the dog", "more/b.mp4,the dog", "more/b.mp4,the cat")
    own = read_own(folder)
    assert [str(clip.path.relative_to(folder)) for clip in own.clips] == ["b.mp4", "more/b.mp4"]
    assert own.left_out == ["Another folder has a video called b.mp4 with the same sentence. Rename one."]


def test_where_nothing_can_be_used_all_reasons_are_said(folder: Path) -> None:
    write(folder, "gone.mp4,the hen", "b.mp4,")
    with pytest.raises(OwnVideosError, match=r"(?s)No line of .*gone\.mp4\.\nline 3 .*empty") as caught:
        read_own(folder)
    assert "tasks.csv" in str(caught.value)


def test_a_table_without_its_columns_and_one_that_is_too_long(folder: Path) -> None:
    (folder / "tasks.csv").write_text("film,sentence\nb.mp4,the dog\n")
    with pytest.raises(StvgError, match="video"):
        read_own(folder)
    write(folder, *(f"b.mp4,sentence {number}" for number in range(MOST + 1)))
    with pytest.raises(OwnVideosError, match=f"{MOST + 1} lines.*stvg prelabel"):
        read_own(folder)


def test_videos_within_the_demos_folder_are_refused_and_stay(folder: Path, tmp_path: Path) -> None:
    """The check empties that folder at its beginning."""
    inside = tmp_path / "demo" / "check-videos" / "films"
    inside.parent.mkdir(parents=True)
    shutil.copytree(folder, inside)
    write(inside, "b.mp4,the dog")
    summary = run_demo(DemoOptions(tmp_path / "nowhere", tmp_path / "demo", check=True, videos=inside))
    assert summary.error is not None and "Put the videos elsewhere" in summary.error
    assert sorted(path.name for path in inside.iterdir()) == ["a film.mp4", "b.mp4", "tasks.csv"]


def test_a_table_that_cannot_be_used_starts_nothing(folder: Path, tmp_path: Path) -> None:
    arguments = [
        "--label-studio",
        str(tmp_path / "nowhere"),
        "--folder",
        str(tmp_path / "demo"),
        "--videos",
        str(folder),
    ]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 1 and "There is no tasks.csv" in result.output
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["lock", "summary.json"]
    write(folder, "b.mp4,the dog", "gone.mp4,the hen")
    result = CliRunner().invoke(command, [*arguments, "--check"])
    assert result.exit_code == 1 and "needs 3 sentences at least" in result.output
    assert "left out: line 3 (record 2): There is no video" in result.output
    left = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert left["ok"] is False and len(left["left_out"]) == 1


def test_the_table_names_each_video_and_says_that_no_truth_is_known() -> None:
    tubes = [
        ProposedTube(1, "a.mp4", "the dog", 25.0, (26, 50), keyframes=3, score=0.5, seconds=2.04),
        ProposedTube(2, "b.mp4", "the cat", 10.0, problem="The video ends early."),
    ]
    printed = table(tubes, own=True)
    header, _, first, second, *_ = printed.splitlines()
    assert header.split() == ["task", "video", "query", "tube", "keyframes", "score", "took"]
    assert first.split()[:2] == ["1", "a.mp4"] and "The video ends early." in second
    assert NO_TRUTH in printed and NO_TRUTH not in table(tubes)


def test_a_video_that_fails_later_is_left_out_of_the_checks_and_named() -> None:
    """A file can look like a video and still not be decoded to its end."""
    tubes = [
        ProposedTube(1, "a.mp4", "the dog", 25.0, (26, 50)),
        ProposedTube(2, "b.mp4", "the cat", 10.0, problem="It ends early."),
    ]
    clips = {number: DemoClip(Path(f"{number}.mp4"), "x", 25.0, 60) for number in (1, 2)}
    summary = Summary(tubes=tubes, left_out=["line 4"])
    left = _answered(DemoProject(1, read_config(video_tube()), clips), summary)
    assert list(left.tasks) == [1]
    assert summary.left_out == ["line 4", "b.mp4: It ends early."]
