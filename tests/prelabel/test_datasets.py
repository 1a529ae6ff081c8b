"""HC-STVG and VidSTG as sources: their sentences are asked, their boxes stay truth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.media.file_address import file_address
from backend.prelabel.errors import Reason, SourceError
from backend.prelabel.item import Item, Note, Problem, Repeated
from backend.prelabel.recognise import Kind
from backend.prelabel.sources import open_source
from stvg_core.datasets import hcstvg, vidstg
from tests.datasets.small import hcstvg_entry, moving, vidor, vidstg_entry
from tests.prelabel.given import clips, everything, items, only, written


def version_2(caption: str) -> dict[str, Any]:
    entry = hcstvg_entry(11, 5)
    del entry["caption"], entry["width"], entry["height"]
    return entry | {"English": caption, "img_size": [100, 200]}


@pytest.mark.parametrize("second", [hcstvg_entry(11, 5, caption="she  stands"), version_2("she  stands")])
def test_hcstvg_of_both_versions(tmp_path: Path, second: dict[str, Any]) -> None:
    videos = clips(tmp_path / "videos", "0/1_a.mkv", "2_b.mp4")
    path = written(tmp_path / "train.json", {"1_a.mkv": hcstvg_entry(1, 3), "2_b.mkv": second})
    source = open_source(str(path), videos=str(videos))
    assert source.kind is Kind.HCSTVG
    found = everything(source)
    first, other = only(Item, found)
    assert first.video_ref == file_address(videos / "0" / "1_a.mkv")
    assert (first.sentence, first.name) == ("the man sits down", "1_a.mkv")
    assert first.data == {"video": first.video_ref, "query": first.sentence}
    assert (other.sentence, other.name) == ("she stands", "2_b.mkv")
    assert other.truth is not None
    assert (other.truth.start_frame, other.truth.end_frame) == (10, 14), "frames in the file count from 1"
    assert np.allclose(other.truth.boxes[0], [0.05, 0.2, 0.3, 0.6])
    assert [one.said for one in only(Note, found)] == [
        "2_b.mp4 is taken for 2_b.mkv, which is not there under that name"
    ]


def test_several_sentences_on_one_clip(tmp_path: Path) -> None:
    """A name that occurs again is written ``a.mp4#2``; it is the same video."""
    videos = clips(tmp_path / "videos", "a.mp4")
    path = written(
        tmp_path / "x.json", {"a.mp4": hcstvg_entry(1, 3), "a.mp4#2": hcstvg_entry(1, 3, caption="a woman waves")}
    )
    found = items(path, videos=str(videos))
    assert [(one.name, one.sentence) for one in found] == [("a.mp4", "the man sits down"), ("a.mp4#2", "a woman waves")]
    assert len({one.video_ref for one in found}) == 1


def test_hcstvg_sentences_without_boxes(tmp_path: Path) -> None:
    videos = clips(tmp_path / "videos", "3_x.mkv", "4_y.mp4")
    path = written(tmp_path / "query_v2.json", {"3_x.mkv": "The man stands up.", "4_y.mp4": "A girl kisses."})
    source = open_source(str(path), videos=str(videos))
    assert source.kind is Kind.HCSTVG
    assert [(one.name, one.sentence, one.truth) for one in everything(source)] == [
        ("3_x.mkv", "The man stands up.", None),
        ("4_y.mp4", "A girl kisses.", None),
    ]


def test_a_single_task_is_no_hcstvg(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4")
    path = written(tmp_path / "t.json", {"video": "a.mp4", "query": "the man"})
    assert open_source(str(path)).kind is Kind.TASKS
    assert len(items(path)) == 1


def test_bad_records_of_hcstvg_are_named(tmp_path: Path) -> None:
    videos = clips(tmp_path / "videos", "a.mp4", "b.mp4", "c.mp4")
    content = {
        "b.mp4": hcstvg_entry(0, 3),
        "a.mp4": hcstvg_entry(1, 3),
        "gone.mp4": hcstvg_entry(1, 3),
        "c.mp4": hcstvg_entry(1, 3, caption=" \u200b"),
    }
    path = written(tmp_path / "x.json", content)
    found = everything(open_source(str(path), videos=str(videos)))
    assert [one.name for one in only(Item, found)] == ["a.mp4"]
    problems = only(Problem, found)
    assert [one.reason for one in problems] == [Reason.RECORD, Reason.MISSING, Reason.SENTENCE]
    assert "b.mp4" in problems[0].said and "gone.mp4" in problems[1].said and "c.mp4" in problems[2].where


def test_half_characters_can_be_shown_and_stored(tmp_path: Path) -> None:
    """JSON can write them; neither a terminal nor a database can."""
    videos = clips(tmp_path / "videos", "a.mp4")
    entries = {"a.mp4": hcstvg_entry(1, 3, caption="the \ud800 man"), "\ud800.mp4": hcstvg_entry(1, 3), "b": "\ud800"}
    path = written(tmp_path / "x.json", entries | {"http://h/\ud800.mp4": hcstvg_entry(1, 3)})
    found = everything(open_source(str(path), videos=str(videos)))
    assert [one.sentence for one in only(Item, found)] == ["the man"]
    problems = only(Problem, found)
    assert [one.reason for one in problems] == [Reason.MISSING, Reason.RECORD, Reason.ADDRESS]
    for one in found:
        repr(one).encode()
        one.where.encode()


def test_hcstvg_without_a_folder_looks_beside_the_file_alone(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4", "sub/b.mp4")
    path = written(tmp_path / "x.json", {"a.mp4": hcstvg_entry(1, 3), "b.mp4": hcstvg_entry(1, 3)})
    found = everything(open_source(str(path)))
    assert [one.name for one in only(Item, found)] == ["a.mp4"]
    assert "--videos" in only(Problem, found)[0].said


def _vidstg(tmp_path: Path, *entries: dict[str, Any]) -> tuple[Path, Path]:
    vidor(tmp_path / "vidor", "123", {0: moving(range(40)), 1: moving(range(12, 40), corner=50)})
    return written(tmp_path / "val_annotations.json", list(entries)), tmp_path / "vidor"


def test_vidstg_asks_both_kinds_of_sentences(tmp_path: Path) -> None:
    path, boxes = _vidstg(tmp_path, vidstg_entry("123", 10, 20), vidstg_entry("123", 20, 30, captions=[]))
    videos = clips(tmp_path / "videos", "0001/123.mp4", "0001/1234.mp4")
    with pytest.raises(SourceError, match=r"names videos by number.*--videos"):
        open_source(str(path))
    source = open_source(str(path), videos=str(videos), vidor=boxes)
    assert source.kind is Kind.VIDSTG
    found = everything(source)
    declarative, interrogative = only(Item, found)
    assert declarative.video_ref == interrogative.video_ref == file_address(videos / "0001" / "123.mp4")
    assert (declarative.name, declarative.sentence) == ("123/1/declarative/1", "the dog runs")
    assert interrogative.data == {
        "video": interrogative.video_ref, "query": "who sits down?", "kind": "interrogative", "segment": [0, 39],
        "category": "child",
    }  # fmt: skip
    assert declarative.truth is not None and interrogative.truth is not None
    assert (declarative.truth.start_frame, declarative.truth.end_frame) == (10, 19), "the written end is exclusive"
    assert interrogative.truth.start_frame == 12, "the target is seen from there on"
    repeated = only(Repeated, found)
    assert [one.item.name for one in repeated] == ["123/2/interrogative/1"]
    assert "another true tube" in only(Note, found)[0].said


def test_vidstg_without_vidor_has_the_same_items_without_truth(tmp_path: Path) -> None:
    path, boxes = _vidstg(tmp_path, vidstg_entry("123", 10, 20))
    videos = str(clips(tmp_path / "videos", "123.mp4"))
    with_truth, without = items(path, videos=videos, vidor=boxes), items(path, videos=videos)
    assert all(one.truth is None for one in without)
    for one, other in zip(with_truth, without, strict=True):
        assert (one.video_ref, one.sentence, one.name, one.where, one.data) == (
            (other.video_ref, other.sentence, other.name, other.where, other.data)
        )


def test_bad_records_of_vidstg_are_named(tmp_path: Path) -> None:
    bad_target = vidstg_entry("123", 10, 20, questions=[{"description": "what?", "target_id": "x"}])
    path, boxes = _vidstg(tmp_path, {"vid": "123"}, bad_target, vidstg_entry("999", 1, 2))
    videos = str(clips(tmp_path / "videos", "123.mp4"))
    for options in ({}, {"vidor": boxes}):
        found = everything(open_source(str(path), videos=videos, **options))
        assert [one.sentence for one in only(Item, found)] == ["the dog runs"]
        said = " ".join(f"{one.where} {one.said}" for one in only(Problem, found))
        assert "record 1" in said and "record 2" in said and "999" in said


def test_a_target_without_a_box_is_asked_without_truth(tmp_path: Path) -> None:
    path, boxes = _vidstg(tmp_path, vidstg_entry("123", 10, 12))
    found = everything(open_source(str(path), videos=str(clips(tmp_path / "v", "123.mp4")), vidor=boxes))
    assert [(one.sentence, one.truth is None) for one in only(Item, found)] == [
        ("the dog runs", False),
        ("who sits down?", True),
    ]
    assert "asked without its truth" in only(Note, found)[0].said


def test_reading_one_record_at_a_time_reads_the_same(tmp_path: Path) -> None:
    path, boxes = _vidstg(tmp_path, vidstg_entry("123", 10, 20), vidstg_entry("123", 12, 30))
    assert [record.place for record in vidstg.read(path, boxes)] == [(1, 1), (1, 1), (2, 1), (2, 1)]
    other = written(tmp_path / "h.json", {"a.mp4": hcstvg_entry(1, 3), "b.mp4": hcstvg_entry(1, 0)})
    bad: list[str] = []
    assert [record.video for record in hcstvg.read(other, bad=bad)] == ["a.mp4"]
    assert len(bad) == 1
    with pytest.raises(hcstvg.DatasetError, match=r"b\.mp4"):
        hcstvg.read(other)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ([{"broken": 1}, vidstg_entry("1", 1, 2)], Kind.VIDSTG),
        ({"a.mp4": {"broken": 1}, "b.mp4": hcstvg_entry(1, 2)}, Kind.HCSTVG),
        ({"data": {"video": "a.mp4", "query": "x"}}, Kind.TASKS),
        ([{"video": "a.mp4", "query": "x", "vid": "7"}], Kind.TASKS),
        ('{"video": "a.mp4", "query": "x"}\n{"video": "b.mp4", "query": "x"}', Kind.TASKS),
        ("video,query\n{a.mp4,x\n", Kind.TASKS),
        ("\ufeff" + '{"a.mp4": "x"}', Kind.HCSTVG),
    ],
)
def test_kinds_are_told_by_their_records(tmp_path: Path, content: Any, kind: Kind) -> None:
    path = written(tmp_path / "any.txt", content)
    assert open_source(str(path), videos=str(tmp_path)).kind is kind


def test_a_large_file_is_told_by_its_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.prelabel.recognise._HEAD", 700)
    many = {f"{number}.mp4": hcstvg_entry(1, 3) for number in range(50)}
    assert open_source(str(written(tmp_path / "h.json", many))).kind is Kind.HCSTVG
    path = written(tmp_path / "v.json", [vidstg_entry(str(number), 1, 2) for number in range(50)])
    assert open_source(str(path), videos=str(tmp_path)).kind is Kind.VIDSTG


def test_the_kind_may_be_said(tmp_path: Path) -> None:
    path = written(tmp_path / "x.json", {"a": {"caption": "x"}})
    with pytest.raises(Exception, match="VidSTG"):
        everything(open_source(str(path), kind=Kind.VIDSTG, videos=str(tmp_path)))
    assert len(only(Problem, everything(open_source(str(path), kind=Kind.HCSTVG)))) == 1
