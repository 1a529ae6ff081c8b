"""CVAT for video: between keyframes, switched off, to the end, and nothing that an XML file must not do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.cvat import CvatVideo, read

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
