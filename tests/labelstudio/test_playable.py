"""What browsers do not play is named, in the words of a person; the original stays what is grounded."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from backend.labelstudio.config import read_config
from backend.labelstudio.originals import ORIGINAL_KEY, grounded_address
from backend.labelstudio.playable import Seen, check_tasks, problems
from labeling_config import video_tube
from stvg_core.errors import StvgError, VideoError
from stvg_core.tube import VideoInfo
from stvg_core.video.coding import Coding
from tests.labelstudio.fake_label_studio import FakeLabelStudio

CONFIG = read_config(video_tube())
INFO = VideoInfo("a", 320, 240, 25, 1, 50, 2.0)
GOOD = Coding("mp4", "h264", "yuv420p", 0.0, False)
COPY = "/data/local-files/?d=copies/a-h264-0123456789ab.mp4"


@pytest.mark.parametrize(
    "coding",
    [
        GOOD,
        replace(GOOD, container="mov"),
        replace(GOOD, codec="av1"),
        replace(GOOD, container="webm", codec="vp9"),
        replace(GOOD, container="webm", codec="vp8"),
        replace(GOOD, pixel_format="yuvj420p"),
        replace(GOOD, start_s=0.011),  # the clock of MPEG files is rounded: no other picture is shown
    ],
)
def test_what_every_browser_plays_is_not_complained_about(coding: Coding) -> None:
    assert problems(coding, INFO) == []


@pytest.mark.parametrize(
    ("coding", "words"),
    [
        (replace(GOOD, container="avi"), ["AVI", "no browser"]),
        (replace(GOOD, container="mpegts"), ["MPEG-TS", "no browser"]),
        (replace(GOOD, container="mpeg", codec="mpeg2video"), ["MPEG-PS", "MPEG-2", "no browser"]),
        (replace(GOOD, container="flv"), ["Flash"]),
        (replace(GOOD, container="asf", codec="wmv2"), ["Windows Media", "wmv2"]),
        (replace(GOOD, container="matroska"), ["Matroska", "not played by every browser"]),
        (replace(GOOD, container="ogg", codec="theora"), ["Ogg", "Theora", "no browser of today"]),
        (replace(GOOD, codec="mpeg4"), ["MPEG-4 Part 2", "no browser of today"]),
        (replace(GOOD, codec="hevc"), ["HEVC", "not played by every browser"]),
        (replace(GOOD, codec="prores"), ["ProRes"]),
        (replace(GOOD, pixel_format="yuv420p10le"), ["yuv420p10le", "not every browser"]),
        (replace(GOOD, pixel_format="yuv444p"), ["yuv444p"]),
        (replace(GOOD, turned_by_message=True), ["unturned"]),
        (replace(GOOD, start_s=0.08), ["0.080 s", "2 frames before"]),
    ],
)
def test_the_part_that_is_the_problem_is_named(coding: Coding, words: list[str]) -> None:
    said = " ".join(problems(coding, INFO))
    assert all(word in said for word in words), said


def test_a_varying_rate_is_a_problem_of_the_page() -> None:
    [said] = problems(GOOD, replace(INFO, variable_rate=True))
    assert "varies" in said


@pytest.mark.parametrize(
    ("data", "grounded"),
    [
        ({"video": "/a.avi"}, "/a.avi"),
        ({"video": COPY, ORIGINAL_KEY: "/a.avi"}, "/a.avi"),
        ({"video": COPY}, COPY),
        ({"video": "/other.mp4", ORIGINAL_KEY: "/a.avi"}, "/other.mp4"),  # somebody put another video there
        ({"video": COPY, ORIGINAL_KEY: "  "}, COPY),
        ({"video": COPY, ORIGINAL_KEY: 7}, COPY),
    ],
)
def test_which_video_is_grounded(data: dict[str, Any], grounded: str) -> None:
    assert grounded_address(data, data["video"]) == grounded


@dataclass
class Shelf:
    """Videos by address; one that is missing cannot be read."""

    problems: dict[str, tuple[str, ...]]

    def look(self, address: str, task: int) -> Seen:
        if address not in self.problems:
            raise VideoError("gone")
        return Seen(Path(address), "0" * 64, INFO, self.problems[address])


def copy(seen: Seen) -> str:
    if seen.path.name == "broken.avi":
        raise StvgError("its middle cannot be decoded")
    return COPY.replace("/a-", f"/{seen.path.stem}-")


SHELF = Shelf({"/a.avi": ("Its container, AVI, is played by no browser.",), "/b.mp4": (), "/broken.avi": ("Bad.",)})


def tasks_of(ls: FakeLabelStudio, *videos: str) -> None:
    for video in videos:
        ls.add("tasks", project=1, data={"video": video, "query": "x"})


def test_without_copies_the_tasks_are_named() -> None:
    ls = FakeLabelStudio()
    tasks_of(ls, "/a.avi", "/b.mp4", "/gone.mp4")
    report = check_tasks(ls.client(), CONFIG, ls.all("tasks"), SHELF.look, None)
    [warning] = report.warnings
    assert warning.startswith("task 1: Its container, AVI") and "--transcode" in warning
    assert ls.changes == []


def test_copies_are_given_once_and_the_original_is_kept() -> None:
    ls = FakeLabelStudio()
    tasks_of(ls, "/a.avi", "/b.mp4", "/a.avi", "/broken.avi")
    report = check_tasks(ls.client(), CONFIG, ls.all("tasks"), SHELF.look, copy)
    assert (report.given, report.had) == (2, 0)
    assert [task["data"] for task in ls.all("tasks")[:3]] == [
        {"video": COPY, ORIGINAL_KEY: "/a.avi", "query": "x"},
        {"video": "/b.mp4", "query": "x"},
        {"video": COPY, ORIGINAL_KEY: "/a.avi", "query": "x"},
    ]
    [warning] = report.warnings
    assert "task 4: no copy was made: its middle" in warning

    ls.changes.clear()
    again = check_tasks(ls.client(), CONFIG, ls.all("tasks"), SHELF.look, copy)
    assert (again.given, again.had) == (0, 2) and ls.changes == []
    plain = check_tasks(ls.client(), CONFIG, ls.all("tasks")[:3], SHELF.look, None)
    assert (plain.given, plain.had, plain.warnings) == (0, 2, [])
