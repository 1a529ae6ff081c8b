"""CVAT for video: between keyframes, switched off, to the end, and nothing that an XML file must not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.cvat import CvatVideo, read, read_tasks

META = (
    "<meta><task><name>my task</name><size>20</size><original_size><width>200</width><height>100</height>"
    "</original_size><source>clips/a.mp4</source></task></meta>"
)


def box(frame: int, left: float, *, outside: int = 0, attributes: str = "") -> str:
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" keyframe="1" xtl="{left}" ytl="20" xbr="{left + 50}" '
        f'ybr="60" z_order="0">{attributes}</box>'
    )


def read_tracks(tmp_path: Path, *tracks: str, meta: str = META, head: str = "") -> CvatVideo:
    path = tmp_path / "annotations.xml"
    path.write_text(
        f'<?xml version="1.0"?>{head}<annotations><version>1.1</version>{meta}{"".join(tracks)}</annotations>'
    )
    return read(path)


def track(*boxes: str, number: int = 0, label: str = "person") -> str:
    return f'<track id="{number}" label="{label}">{"".join(boxes)}</track>'


def test_linear_between_keyframes_and_off_from_the_outside_box_on(tmp_path: Path) -> None:
    found = read_tracks(
        tmp_path, track(box(2, 10), box(6, 30), box(8, 40, outside=1), box(12, 0), box(13, 0, outside=1))
    )
    assert (found.name, found.size, found.n_frames) == ("clips/a.mp4", (200, 100), 20)
    [label] = found.labels
    np.testing.assert_array_equal(label.frames, [2, 3, 4, 5, 6, 7, 12])
    np.testing.assert_allclose(label.boxes[:, 0], [10, 15, 20, 25, 30, 35, 0])
    assert (label.category, label.missing, label.n_frames) == ("person", 4, 20)


def test_without_an_outside_box_it_stays_to_the_end_of_the_task(tmp_path: Path) -> None:
    [label] = read_tracks(tmp_path, track(box(15, 10), box(17, 14))).labels
    np.testing.assert_array_equal(label.frames, np.arange(15, 20))
    np.testing.assert_allclose(label.boxes[:, 0], [10, 12, 14, 14, 14])


def test_boxes_need_no_order_and_an_attribute_is_the_sentence(tmp_path: Path) -> None:
    sentence = '<attribute name="Sentence">the man\n in red</attribute>'
    first, second = read_tracks(
        tmp_path,
        track(box(6, 30, outside=1), box(2, 10, attributes=sentence)),
        track(box(1, 5), box(2, 5, outside=1, attributes='<attribute name="quality">good</attribute>'), number=3),
    ).labels
    assert (first.sentence, second.sentence) == ("the man in red", "")
    np.testing.assert_array_equal(first.frames, [2, 3, 4, 5])
    assert second.record == "track 3 of annotations.xml"


def test_a_track_that_is_never_drawn_is_said(tmp_path: Path) -> None:
    found = read_tracks(tmp_path, track(box(2, 10, outside=1), number=4), track())
    assert (found.labels, found.empty) == ([], ["4", "0"])


@pytest.mark.parametrize(
    ("tracks", "said"),
    [
        ('<track id="5" label="x"><box frame="1"/></track>', "track 5 of annotations.xml has a box without"),
        (track(box(1, 10), box(1, 12), number=6), "track 6 .* two boxes on frame 1"),
        (track(box(-1, 10)), "impossible box on frame -1"),
        (track(box(10**9, 10)), "impossible box"),
        (track(box(1, float("nan"))), "impossible box on frame 1"),
    ],
)
def test_what_is_wrong_is_named_by_track(tmp_path: Path, tracks: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_tracks(tmp_path, tracks)


def test_files_that_are_none(tmp_path: Path) -> None:
    for content, said in (("<annotations>", "not readable XML"), ("<html/>", "not a CVAT file")):
        (tmp_path / "x.xml").write_text(content)
        with pytest.raises(DatasetError, match=said):
            read(tmp_path / "x.xml")
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "none.xml")
    with pytest.raises(DatasetError, match="whole project"):
        read_tracks(tmp_path, meta="<meta><project/></meta>")
    with pytest.raises(DatasetError, match="plausible"):
        read_tracks(tmp_path, meta="<meta><task><size>99999999999</size></task></meta>")


def test_entities_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not readable XML"):
        read_tracks(tmp_path, head='<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d SYSTEM "file:///etc/passwd">]>')


def task(*, first: int = 0, size: int = 50, more: str = "", step: int = 1, kind: str = "task") -> str:
    return (
        f"<meta><{kind}><id>7</id><name>my task</name><size>{size}</size><start_frame>{first}</start_frame>"
        f"<stop_frame>{first + (size - 1) * step}</stop_frame><frame_filter>{f'step={step}' if step > 1 else ''}"
        f"</frame_filter>{more}<source>a.mp4</source></{kind}></meta>"
    )


def test_a_task_that_is_a_part_of_its_video_counts_in_the_video(tmp_path: Path) -> None:
    [label] = read_tracks(tmp_path, track(box(70, 10)), meta=task(first=60)).labels
    assert (label.frames[0], label.frames[-1], label.n_frames) == (70, 109, None)


@pytest.mark.parametrize("kind", ["task", "job"])
def test_with_a_step_it_is_on_until_the_last_frame_that_shows_it(tmp_path: Path, kind: str) -> None:
    tracks = track(box(60, 10), box(70, 20), box(75, 20, outside=1)), track(box(60, 10))
    ended, open_end = read_tracks(tmp_path, *tracks, meta=task(first=50, size=10, step=5, kind=kind)).labels
    np.testing.assert_array_equal(ended.frames, np.arange(60, 71))
    np.testing.assert_allclose(ended.boxes[:3, 0], [10, 11, 12])
    assert (open_end.frames[-1], open_end.n_frames) == (95, None)


def test_a_job_says_nothing_of_the_videos_length(tmp_path: Path) -> None:
    whole = read_tracks(tmp_path, track(box(3, 10)), meta=task()).labels[0]
    job = read_tracks(tmp_path, track(box(3, 10)), meta=task(kind="job")).labels[0]
    assert (whole.n_frames, job.n_frames) == (50, None)


def test_a_turned_box_is_the_upright_one_around_it(tmp_path: Path) -> None:
    def turned(frame: int, degrees: float) -> str:
        sides = 'xtl="70" ytl="8" xbr="90" ybr="88"'
        return f'<box frame="{frame}" outside="0" keyframe="1" {sides} rotation="{degrees}"/>'

    boxes = [turned(0, 0), turned(2, 90), turned(3, 180), turned(4, 350), turned(6, 10)]
    [label] = read_tracks(tmp_path, track(*boxes), meta=task(size=7)).labels
    upright, across = [70, 8, 90, 88], [40, 38, 120, 58]
    half = (20 + 80) / 2 / np.sqrt(2)  # at 45 degrees both sides are as long as their mean, times the root of two
    np.testing.assert_allclose(label.boxes[0], upright)
    np.testing.assert_allclose(label.boxes[1], [80 - half, 48 - half, 80 + half, 48 + half], atol=1e-5)
    np.testing.assert_allclose(label.boxes[2], across)
    np.testing.assert_allclose(label.boxes[3], upright, atol=1e-9)
    np.testing.assert_allclose(label.boxes[5], upright, atol=1e-9)  # from 350 to 10 degrees by the shorter way


@pytest.mark.parametrize(
    ("bad_track", "said"),
    [
        (track(box(1, 10), box(5, 10, outside=1), box(5, 10, outside=1)), "two boxes on frame 5"),
        (track(box(1, float("nan"))), "impossible box on frame 1"),
        ('<track id="0" label="x"><box frame="1" xtl="9" ytl="1" xbr="2" ybr="3"/></track>', "impossible box"),
        ('<track id="0" label="x"><polygon frame="1" points="1,1;2,2;3,1"/></track>', "drawn as polygon"),
        ('<track id="0" label="x"><skeleton frame="1"><points points="1,1"/></skeleton></track>', "drawn as skeleton"),
        (track(box(20, 10)), "a box on frame 20, but the task has frames 0 to 19"),
    ],
)
def test_one_bad_track_is_left_out_and_named(tmp_path: Path, bad_track: str, said: str) -> None:
    path = tmp_path / "x.xml"
    path.write_text(f"<annotations>{META}{bad_track}{track(box(3, 10), number=1)}</annotations>")
    bad: list[str] = []
    [label] = read(path, bad=bad).labels
    assert label.record == "track 1 of x.xml"
    assert len(bad) == 1 and said in bad[0] and "track 0 of x.xml" in bad[0]


def test_pictures_are_no_tracks(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"this is CVAT for images.*CVAT for video"):
        read_tracks(tmp_path, '<image id="0" name="frame_000000"><box label="person" xtl="1"/></image>')


def test_a_project_tells_its_tasks_by_their_number(tmp_path: Path) -> None:
    tasks = "".join(
        f"<task><id>{number}</id><name>{name}</name><size>20</size><start_frame>{first}</start_frame></task>"
        for number, name, first in ((3, "a.mp4", 0), (4, "b.mp4", 100))
    )
    path = tmp_path / "x.xml"
    tracks = [
        track(box(2, 10)).replace("<track ", '<track task_id="3" '),
        track(box(102, 10), number=1).replace("<track ", '<track task_id="4" '),
        track(box(2, 10), number=2),
    ]
    path.write_text(
        f"<annotations><meta><project><tasks>{tasks}</tasks></project></meta>{''.join(tracks)}</annotations>"
    )
    bad: list[str] = []
    found = read_tasks(path, bad=bad)
    assert [(video.name, [int(label.frames[-1]) for label in video.labels]) for video in found] == [
        ("a.mp4", [19]),
        ("b.mp4", [119]),
    ]
    assert len(bad) == 1 and "track 2 of x.xml does not say which of the project's tasks" in bad[0]
    with pytest.raises(DatasetError, match="2 tasks"):
        read(path, bad=bad)


@pytest.mark.parametrize(
    ("encoding", "declared", "named"),
    [
        ("utf-8-sig", "", None),
        ("utf-16", ' encoding="utf-16"', None),
        ("latin-1", ' encoding="ISO-8859-1"', None),
        ("cp1252", ' encoding="windows-1252"', None),
        ("utf-16-le", ' encoding="utf-8"', "utf-16-le"),
        ("utf-16", ' encoding="utf-8"', "utf-16"),
        ("latin-1", "", "latin-1"),
    ],
)
def test_what_the_file_is_written_in(tmp_path: Path, encoding: str, declared: str, named: str | None) -> None:
    path = tmp_path / "x.xml"
    text = f'<?xml version="1.0"{declared}?><annotations>{META}{track(box(3, 10), label="Fußgänger")}</annotations>'
    path.write_bytes(text.encode(encoding))
    assert read(path, encoding=named).labels[0].category == "Fußgänger"
    if named:
        with pytest.raises(DatasetError, match=r"not readable XML.*--encoding"):
            read(path)


def test_an_encoding_that_the_parser_of_xml_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    content = f'<annotations><track id="0" label="\u8054\u901a\u4eba">{box(1, 5)}</track></annotations>'
    path.write_bytes(f'<?xml version="1.0" encoding="gbk"?>{content}'.encode("gbk"))
    with pytest.raises(DatasetError, match=r"not readable XML.*--encoding"):
        read(path)
    assert read(path, encoding="gbk").labels[0].category == "\u8054\u901a\u4eba"
    with pytest.raises(DatasetError, match="no encoding"):
        read(path, encoding="gbk1")
