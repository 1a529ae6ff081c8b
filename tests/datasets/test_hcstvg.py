"""HC-STVG files: 1-based on disk, 0-based inside, both versions, whole or not at all."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stvg_core.datasets.hcstvg import DatasetError, HcStvgRecord, read, write_v2
from stvg_core.tube import Tube
from tests.datasets.small import hcstvg_entry


@st.composite
def records(draw: st.DrawFn) -> HcStvgRecord:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    corners = np.sort(rng.uniform(0, 1, (draw(st.integers(1, 30)), 2, 2)), axis=1).reshape(-1, 4)
    tube = Tube(draw(st.integers(0, 500)), corners)
    return HcStvgRecord.from_tube(
        draw(st.sampled_from(["a.mp4", "b/c.mp4", "ä 1.mkv"])), draw(st.text(max_size=30)), tube,
        fps=draw(st.sampled_from([10.0, 25.0, 30000 / 1001])), n_frames=tube.end_frame + 7,
        width=draw(st.integers(1, 1920)), height=draw(st.integers(1, 1080)),
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(st.lists(records(), max_size=4, unique_by=lambda r: r.video))
def test_round_trip(written: list[HcStvgRecord]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "out.json"
        assert write_v2(written, path) == len(written)
        again = read(path)
    for a, b in zip(written, again, strict=True):
        np.testing.assert_array_equal(a.boxes, b.boxes)
        assert {**vars(a), "boxes": None} == {**vars(b), "boxes": None}


@settings(deadline=None, max_examples=40)
@given(records())
def test_a_tube_comes_back_within_a_hundredth_of_a_pixel(record: HcStvgRecord) -> None:
    again = HcStvgRecord.from_tube(
        record.video, record.caption, record.tube(), fps=25, n_frames=record.n_frames, width=record.width,
        height=record.height,
    )  # fmt: skip
    assert again.start_frame == record.start_frame
    np.testing.assert_allclose(again.boxes, record.boxes, atol=0.021)


def test_both_versions_read_alike(tmp_path: Path) -> None:
    shared = {
        "bbox": [[10, 20, 30, 40], [11, 20, 30, 40]],
        "st_time": 0.2,
        "ed_time": 0.24,
        "st_frame": 6,
        "img_num": 50,
    }
    (tmp_path / "v1.json").write_text(
        json.dumps({"a.mp4": {**shared, "caption": "a man", "width": 200, "height": 100}})
    )
    (tmp_path / "v2.json").write_text(json.dumps({"a.mp4": {**shared, "English": "a man", "img_size": [100, 200]}}))
    for name in ("v1.json", "v2.json"):
        (record,) = read(tmp_path / name)
        assert (record.caption, record.width, record.height, record.start_frame) == ("a man", 200, 100, 5)
        np.testing.assert_allclose(record.tube().boxes[0], [0.05, 0.2, 0.2, 0.6])
        assert record.tube().end_frame == 6


def test_files_count_frames_from_one_and_repeat_no_name(tmp_path: Path) -> None:
    tube = Tube(0, np.array([[0, 0, 0.5, 0.5]]))
    record = HcStvgRecord.from_tube("a.mp4", "x", tube, fps=25, n_frames=9, width=64, height=32)
    assert write_v2([record, record, record], tmp_path / "out.json") == 3
    content = json.loads((tmp_path / "out.json").read_text())
    assert list(content) == ["a.mp4", "a.mp4#2", "a.mp4#3"]
    assert content["a.mp4"]["st_frame"] == 1
    assert content["a.mp4"]["bbox"] == [[0, 0, 32, 16]]
    assert content["a.mp4"]["img_size"] == [32, 64]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")

    def failing() -> Iterator[HcStvgRecord]:
        raise RuntimeError("database went away")
        yield

    with pytest.raises(RuntimeError):
        write_v2(failing(), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("content", ["not json", "[]", '{"a.mp4": {"bbox": [[1, 2, 3, 4]]}}', '{"a.mp4": 3}'])
def test_other_files_are_refused_in_words(content: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(DatasetError, match=r"x\.json"):
        read(tmp_path / "x.json")


def test_as_a_label_of_any_format(tmp_path: Path) -> None:
    tube = Tube(3, np.array([[0, 0, 0.5, 0.5], [0, 0, 0.5, 1]]))
    record = HcStvgRecord.from_tube("a#b.mp4", "x", tube, fps=25, n_frames=9, width=64, height=32)
    write_v2([record, record], tmp_path / "out.json")
    labels = [record.label() for record in read(tmp_path / "out.json")]
    assert [label.video for label in labels] == ["a#b.mp4", "a#b.mp4"]
    assert labels[1].record == "record a#b.mp4#2"
    np.testing.assert_array_equal(labels[0].frames, [3, 4])
    np.testing.assert_allclose(labels[0].boxes, [[0, 0, 32, 16], [0, 0, 32, 32]])
    np.testing.assert_allclose(labels[0].tube((1, 1)).boxes, tube.boxes)


def test_a_bad_record_is_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    nan = float("nan")
    bad_ones: dict[str, Any] = {
        "b.mp4": hcstvg_entry(1, 2, bbox=[[1, 2, -3, 4]]),
        "c.mp4": hcstvg_entry(1, 2, bbox=[[1, nan, 3, 4]]),
        "d.mp4": hcstvg_entry(1, 2, st_time=5.0, ed_time=4.0),
        "e.mp4": hcstvg_entry(10**30, 2),
        "f.mp4": hcstvg_entry(1, 2, img_num=float("inf")),
        "g.mp4": hcstvg_entry(1, 2, caption=None),
        "h.mp4": [1],
        "i.mp4": None,
    }
    path.write_text(json.dumps({"a.mp4": hcstvg_entry(6, 3), **bad_ones}))
    bad: list[str] = []
    assert [record.video for record in read(path, bad=bad)] == ["a.mp4"]
    assert len(bad) == len(bad_ones) and all(name in said for name, said in zip(bad_ones, bad, strict=True))
    with pytest.raises(DatasetError, match=r"b\.mp4"):
        read(path)


@pytest.mark.parametrize(("boxes", "refused"), [([[0.1, 0.2, 0.3, 0.25]] * 2, True), ([[0, 0, 1, 1]] * 2, False)])
def test_shares_of_the_picture_are_not_read_as_pixels(boxes: list[list[float]], refused: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"a.mp4": hcstvg_entry(3, 2, bbox=boxes)}))
    bad: list[str] = []
    assert len(read(path, bad=bad)) == (not refused)
    assert [("from 0 to 1" in one) for one in bad] == [True] * refused


def test_a_record_that_is_there_twice_is_never_dropped(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    entry = json.dumps(hcstvg_entry(6, 3))
    path.write_text(f'{{"a.mp4": {entry}, "b.mp4": {entry}, "a.mp4": {entry}}}')
    with pytest.raises(DatasetError, match=r"the key 'a\.mp4' twice"):
        read(path)


def test_which_video_a_number_behind_a_name_means(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    names = ["a.mp4", "a.mp4#2", "take#2", "b#2", "b", "c.mp4#3", "take#2#2"]
    content = {name: hcstvg_entry(6, 3) for name in names}
    content["take#2#2"]["video"] = "take#2"
    path.write_text(json.dumps(content))
    found = [record.label().video for record in read(path)]
    assert found == ["a.mp4", "a.mp4", "take#2", "b", "b", "c.mp4", "take#2"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_read(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "labels.json"
    path.write_bytes(json.dumps({"é.mp4": hcstvg_entry(6, 3)}, ensure_ascii=False).encode(encoding))
    assert [record.video for record in read(path)] == ["é.mp4"]


def test_corners_where_sizes_belong_are_refused_as_a_file(tmp_path: Path) -> None:
    """Read as sizes, the second record stays inside of the picture: it would be wrong without a word."""
    content = {
        "a.mp4": hcstvg_entry(1, 1, bbox=[[150, 50, 190, 90]]), "b.mp4": hcstvg_entry(1, 1, bbox=[[10, 10, 40, 40]]),
    }  # fmt: skip
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    for labels in (True, False):
        with pytest.raises(DatasetError, match=r"record of a\.mp4 leaves the picture.*x1, y1, x2, y2"):
            read(path, bad=[], labels=labels)


def test_a_box_that_leaves_the_picture_is_named_and_the_rest_comes(tmp_path: Path) -> None:
    content = {
        "a.mp4": hcstvg_entry(1, 1, bbox=[[150, 50, 60, 20]]), "b.mp4": hcstvg_entry(1, 1, bbox=[[150, 50, 53, 20]]),
        "c.mp4": hcstvg_entry(1, 1, bbox=[[30, 20, 10, 110]]),
    }  # fmt: skip
    path = tmp_path / "x.json"
    path.write_text(json.dumps(content))
    bad: list[str] = []
    assert [record.video for record in read(path, bad=bad)] == ["b.mp4"], "three pixels over the border are nothing"
    assert len(bad) == 2 and all("leaves the picture" in said and "height, width" in said for said in bad)
    assert len(read(path, labels=False)) == 3, "a prediction may leave it"


@pytest.mark.parametrize(
    "changes",
    [
        {"bbox": [10, 20, 30, 40]},
        {"bbox": [[10, 20, 30, 40, 11, 20, 30, 40]]},
        {"bbox": [[10, 20], [30, 40]]},
        {"st_frame": 1.7},
        {"width": 200.5},
    ],
)
def test_what_is_cut_off_or_put_together_otherwise_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    path = tmp_path / "x.json"
    path.write_text(json.dumps({"a.mp4": hcstvg_entry(1, 1, **changes)}))
    with pytest.raises(DatasetError, match=r"record of a\.mp4 lacks a usable value"):
        read(path)
