"""Lists of tasks as sources: kinds of files, names and addresses, what is left out, what comes twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.labelstudio.payloads import PayloadError
from backend.media.file_address import file_address
from backend.prelabel.errors import Reason, SourceError
from backend.prelabel.item import Item, Note, Problem, Repeated
from backend.prelabel.recognise import Kind
from backend.prelabel.sources import open_source
from stvg_core.errors import StvgError
from tests.prelabel.given import clips, everything, items, only, written

ROWS = [("a.mp4", "the man in red"), ("a.mp4", "the dog"), ("sub/b.mp4", "a  child\u00a0sits")]
FILES: dict[str, Any] = {
    "t.csv": "video,query,split\na.mp4,the man in red,x\na.mp4,the dog,x\nsub/b.mp4,a  child\u00a0sits,x\n",
    "t.tsv": "video\tquery\tsplit\na.mp4\tthe man in red\tx\na.mp4\tthe dog\tx\nsub/b.mp4\ta  child\u00a0sits\tx\n",
    "semicolons": "query;video;split\nthe man in red;a.mp4;x\nthe dog;a.mp4;x\na  child\u00a0sits;sub/b.mp4;x\n",
    "t.json": [{"video": video, "query": query, "split": "x"} for video, query in ROWS],
    "wrapped": [{"data": {"video": video, "sentence": query, "split": "x"}} for video, query in ROWS],
}
FILES["lines"] = "\n".join(map(json.dumps, FILES["t.json"]))


@pytest.mark.parametrize("name", FILES)
def test_every_kind_of_list_is_told_by_its_content(tmp_path: Path, name: str) -> None:
    clips(tmp_path, "a.mp4", "sub/b.mp4")
    path = written(tmp_path / name, FILES[name])
    found = items(path)
    a, b = file_address(tmp_path / "a.mp4"), file_address(tmp_path / "sub" / "b.mp4")
    assert [(one.video_ref, one.sentence) for one in found] == [
        (a, "the man in red"),
        (a, "the dog"),
        (b, "a child sits"),
    ]
    assert found[2].data == {"video": b, "query": "a child sits", "split": "x"}
    assert len({one.name for one in found}) == 3
    assert str(path) in found[0].where
    assert open_source(str(path)).kind is Kind.TASKS


def test_names_stay_when_the_file_grows(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4")
    path = written(tmp_path / "t.csv", "video,query\na.mp4,one\n\na.mp4,two\n")
    source = open_source(str(path))
    before = [(one.name, one.line) for one in only(Item, source.read())]
    assert before == [("line 2", 2), ("line 4", 4)]
    with path.open("a") as file:
        file.write("a.mp4,three\nnew.mp4,four\n")
    clips(tmp_path, "new.mp4")
    assert [(one.name, one.line) for one in only(Item, source.read())][:2] == before
    assert len(only(Item, source.read())) == 4, "what is there now is read, videos too"


def test_a_bad_record_is_named_and_the_rest_comes(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4")
    path = written(
        tmp_path / "t.csv",
        "video,query\na.mp4,the man\ngone.mp4,the man\na.mp4,\na.mp4,the man, who sits\n../x/a.mp4,the man\n"
        "a.mp4,a dog\n",
    )
    found = everything(open_source(str(path)))
    assert [one.sentence for one in only(Item, found)] == ["the man", "a dog"]
    problems = only(Problem, found)
    assert [(one.where.rpartition(", ")[2], one.reason) for one in problems] == [
        ("line 3 (record 2)", Reason.MISSING),
        ("line 4 (record 3)", Reason.RECORD),
        ("line 5 (record 4)", Reason.RECORD),
        ("line 6 (record 5)", Reason.MISSING),
    ]
    assert "There is no video gone.mp4" in problems[0].said
    assert "--videos" in problems[0].said
    assert 'empty "query"' in problems[1].said


def test_the_same_video_and_sentence_is_one_item(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4", "e\u0301.mp4")
    path = written(
        tmp_path / "t.csv",
        "video,query\na.mp4,the  man\n./a.mp4,the man\na.mp4,The man\n\u00e9.mp4,x\ne\u0301.mp4,x\n",
    )
    found = everything(open_source(str(path)))
    assert [one.sentence for one in only(Item, found)] == ["the man", "The man", "x"]
    repeated = only(Repeated, found)
    assert [(one.item.line, one.first.rpartition(", ")[2]) for one in repeated] == [
        (3, "line 2 (record 1)"),
        (6, "line 5 (record 4)"),
    ]


def test_labels_that_a_file_brings_are_mentioned(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4")
    path = written(tmp_path / "t.json", [{"data": {"video": "a.mp4", "query": "x"}, "annotations": [{"id": 1}]}])
    notes = only(Note, everything(open_source(str(path))))
    assert [one.said for one in notes] == ["1 records bring labels, which are not read here: stvg import does"]


def test_whole_addresses_are_taken_as_they_are(tmp_path: Path) -> None:
    clips(tmp_path, "other/a b.mp4")
    upload = clips(tmp_path, "data/upload/1/d.mp4") / "data/upload/1/d.mp4"
    wanted = [
        "https://host.example/a.mp4?x=1",
        "s3://bucket/a b.mp4",
        "gs://bucket/a.mp4",
        "az://container/a.mp4",
        "/data/local-files/?d=a.mp4",
        file_address(tmp_path / "other" / "a b.mp4"),
    ]
    refused = [
        "ftp://host/a.mp4",
        "s3://key:secret@bucket/a.mp4",
        "https://",
        "/nowhere/a.mp4",
        "memory://bucket/a.mp4",
    ]
    rows = [*wanted, str(tmp_path / "other" / "a b.mp4"), str(upload), *refused]
    path = written(tmp_path / "t.json", [{"video": video, "query": f"q {n}"} for n, video in enumerate(rows)])
    found = everything(open_source(str(path)))
    assert [one.video_ref for one in only(Item, found)] == [*wanted, wanted[-1], file_address(upload)]
    problems = only(Problem, found)
    assert [one.reason for one in problems] == [Reason.ADDRESS] * 3 + [Reason.MISSING, Reason.ADDRESS]
    assert not any("secret" in one.said for one in problems)


def test_files_below_the_document_root_get_label_studios_address(tmp_path: Path) -> None:
    clips(tmp_path, "root/v/a b.mp4", "elsewhere/c.mp4")
    path = written(tmp_path / "root" / "v" / "t.csv", "video,query\na b.mp4,x\n../../elsewhere/c.mp4,y\n")
    assert [one.video_ref for one in items(path, document_root=tmp_path / "root")] == [
        "/data/local-files/?d=v/a%20b.mp4",
        file_address(tmp_path / "elsewhere" / "c.mp4"),
    ]


def test_videos_in_another_folder_are_searched_for(tmp_path: Path) -> None:
    videos = clips(tmp_path / "videos", "deep/er/a.mp4", "b.MKV", "Clip.mp4", "one/c.mp4", "two/c.mp4", ".hidden/h.mp4")
    rows = ["a.mp4", "a", "b.mp4", "clip.mp4", "c.mp4", "two/c.mp4", "h.mp4", "three/c.mp4"]
    path = written(tmp_path / "t.json", [{"video": video, "query": f"q {n}"} for n, video in enumerate(rows)])
    found = everything(open_source(str(path), videos=str(videos)))
    assert [Path(one.video_ref).name for one in only(Item, found)] == ["a.mp4", "a.mp4", "b.MKV", "Clip.mp4", "c.mp4"]
    assert [one.said for one in only(Note, found)] == [
        "b.MKV is taken for b.mp4, which is not there under that name",
        "Clip.mp4 is taken for clip.mp4, which is not there under that name",
    ]
    problems = only(Problem, found)
    assert [one.reason for one in problems] == [Reason.AMBIGUOUS, Reason.MISSING, Reason.MISSING]
    assert "2 files" in problems[0].said and "one/c.mp4 and two/c.mp4" in problems[0].said
    assert "three/c.mp4" in problems[2].said, "another folder of the same file name is another video"


def test_one_file_is_not_taken_for_two_videos(tmp_path: Path) -> None:
    videos = clips(tmp_path / "videos", "a.mp4", "b.mp4")
    rows = ["a.avi", "a.mp4", "b.avi", "b.mkv"]
    path = written(tmp_path / "t.json", [{"video": video, "query": "q"} for video in rows])
    found = everything(open_source(str(path), videos=str(videos)))
    assert [one.line or one.name for one in only(Item, found)] == ["record 2"]
    assert [one.reason for one in only(Problem, found)] == [Reason.AMBIGUOUS] * 3
    assert "a.avi, but also a.mp4" in only(Problem, found)[0].said


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    videos = clips(tmp_path / "videos", "real/a.mp4")
    (videos / "real" / "again").symlink_to(videos)
    (videos / "linked").symlink_to(clips(tmp_path / "far", "b.mp4"))
    path = written(tmp_path / "t.csv", "video,query\na.mp4,x\nb.mp4,x\n")
    assert len(items(path, videos=str(videos))) == 2


def test_a_folder_stands_for_its_table(tmp_path: Path) -> None:
    folder = clips(tmp_path / "set", "a.mp4")
    with pytest.raises(SourceError, match=r"has no table.*videos\.csv.*video,query"):
        open_source(str(folder))
    written(folder / "x.json.videos.json", {"videos": []})
    with pytest.raises(SourceError, match="has no table"):
        open_source(str(folder))
    written(folder / "train.csv", "video,query\na.mp4,train\n")
    assert [one.sentence for one in items(folder)] == ["train"]
    written(folder / "test.jsonl", '{"video": "a.mp4", "query": "test"}')
    with pytest.raises(SourceError, match=r"several tables \(test.jsonl, train.csv\)"):
        open_source(str(folder))
    written(folder / "videos.csv", "video,query\na.mp4,all\n")
    assert [one.sentence for one in items(folder)] == ["all"]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        ("gone.csv", {}, "There is no file or folder"),
        ("ftp://host/t.csv", {}, "no address that a source can have"),
        ("https://host/t.csv", {}, "copy the file to this machine"),
        ("project:Clips", {}, "address and token are needed"),
        ("project:Clips", {"videos": "v"}, "leave --videos out"),
        ("t.csv", {"kind": Kind.PROJECT}, "project:NAME_OR_ID"),
    ],
)
def test_sources_that_cannot_be_opened(tmp_path: Path, text: str, options: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        open_source(text, **options)


def test_a_folder_of_videos_that_is_not_there_is_said_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", "video,query\na.mp4,x\n")
    for videos, said in ((tmp_path / "gone", "no folder"), ("ftp://host/v", "no place"), ("http://h/v?x=1", "no ?")):
        with pytest.raises(SourceError, match=said):
            open_source(str(path), videos=str(videos))


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", '[{"video": "a.mp4", "query": "x"', "PK\x03\x04", "[]"])
def test_a_file_that_is_no_source_is_an_error(tmp_path: Path, content: str) -> None:
    path = written(tmp_path / "t", content)
    with pytest.raises(StvgError, match=str(path)):
        everything(open_source(str(path)))


def test_another_encoding_is_refused_until_it_is_named(tmp_path: Path) -> None:
    clips(tmp_path, "a.mp4")
    path = tmp_path / "t.csv"
    path.write_bytes("video,query\na.mp4,l\u00e9on\n".encode("latin-1"))
    with pytest.raises(StvgError, match="line 2 is not UTF-8"):
        everything(open_source(str(path)))
    assert [one.sentence for one in items(path, encoding="latin-1")] == ["l\u00e9on"]


def test_a_quote_that_never_ends_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path / "t.csv", 'video,query\na.mp4,"x\nb.mp4,y\n')
    with pytest.raises(PayloadError, match="quote missing"):
        everything(open_source(str(path)))
