"""Our own CSV and Parquet: one bad row does not spoil the others, and a spreadsheet's guard comes off again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from stvg_core.datasets import frames_csv, parquet_rows
from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.frames_csv import guarded, unguarded

HEAD = "video,task,annotation,label,sentence,frame,x1,y1,x2,y2\n"


FRONTS = st.sampled_from(["", "'", "''", " ", "\ufeff"])
DANGEROUS = st.builds("{}{}{}".format, FRONTS, st.sampled_from("=+-@'\tx"), st.text())


@given(st.text() | DANGEROUS)
def test_the_guard_comes_off_again(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert not guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_bad_rows_and_doubled_frames_are_left_out_and_named(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text(
        HEAD + "a.mp4,1,1,T,the man,3,1,2,3,4\na.mp4,1,1,T,the man,4,1,2,nan,4\na.mp4,1,1,T,the man,5,1,2,3\n"
        "a.mp4,2,2,T,the dog,3,1,2,3,4\na.mp4,2,2,T,the dog,3,1,2,3,5\n'=b.mp4,3,3,T,'=x,3,1,2,3,4\n"
    )
    bad: list[str] = []
    labels = frames_csv.read(path, bad=bad)
    assert [(label.video, label.sentence, label.frames.tolist()) for label in labels] == [
        ("a.mp4", "the man", [3]),
        ("=b.mp4", "=x", [3]),
    ]
    assert ["row 3" in bad[0], "row 4" in bad[1], "row 6: a second box on frame 3" in bad[2]] == [True] * 3
    with pytest.raises(DatasetError, match="row 3"):
        frames_csv.read(path)


@pytest.mark.parametrize(("text", "said"), [("a,b\n", "no column video"), (HEAD + '"a', "is no CSV file")])
def test_files_that_are_none(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        frames_csv.read(path)


def a_row(**changes: Any) -> dict[str, Any]:
    return {
        "video": "a.mp4", "width": 200, "height": 100, "n_frames": 9, "sentence": "the man", "label": None,
        "start_frame": 2, "end_frame": 4, "boxes": [[0.1, 0.1, 0.5, 0.5]] * 3, "intervals": [[2, 2], [4, 4]],
    } | changes  # fmt: skip


def test_parquet_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    rows = [a_row(), a_row(end_frame=9), a_row(boxes=[[0.5, 0.1, 0.1, 0.5]] * 3), a_row(boxes=None), a_row(video="b")]
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    bad: list[str] = []
    labels = parquet_rows.read(path, bad=bad)
    assert [(label.video, label.frames.tolist()) for label in labels] == [("a.mp4", [2, 4]), ("b", [2, 4])]
    assert labels[0].boxes[0].tolist() == [20, 10, 100, 50]
    assert [said.split(" lacks")[0] for said in bad] == [f"row {number} of x.parquet" for number in (2, 3, 4)]
    path.write_bytes(b"no")
    with pytest.raises(DatasetError, match="no Parquet file"):
        parquet_rows.read(path)


PLAIN = "video,sentence,frame,x1,y1,x2,y2\n"


def read_one(path: Path, text: str) -> Any:
    path.write_text(text, newline="")
    [label] = frames_csv.read(path)
    return label.video, label.sentence, label.frames.tolist(), label.boxes.tolist()


@pytest.mark.parametrize(
    "text",
    [
        "video;sentence;frame;x1;y1;x2;y2\na.mp4;the man, in red;3;10,5;20,25;30;40\n",
        "video;sentence;frame;x1;y1;x2;y2\na.mp4;the man, in red;3;10.5;20.25;30;40\n",
        "video\tsentence\tframe\tx1\ty1\tx2\ty2\na.mp4\tthe man, in red\t3\t10.5\t20.25\t30\t40\n",
        "sep=;\r\nvideo;sentence;frame;x1;y1;x2;y2\r\na.mp4;the man, in red;3,0;10,5;20,25;30;40\r\n".replace(
            "3,0", "3.0"
        ),
        'Video, Sentence ,FRAME,x1,y1,x2,y2\na.mp4,"the man, in red",3,10.5,20.25,30,40\n',
    ],
)
def test_what_a_spreadsheet_made_of_it_is_read_too(tmp_path: Path, text: str) -> None:
    found = read_one(tmp_path / "x.csv", text)
    assert found == ("a.mp4", "the man, in red", [3], [[10.5, 20.25, 30.0, 40.0]])


@pytest.mark.parametrize(
    "row",
    [
        "a.mp4,the man, in red,3,10,20,30,40",
        "a.mp4,the man 3,4,3,10,20,30,40",
        "a.mp4,the man,3,10,5,20,25,30,40",
        "a.mp4,3,10,20,30,40",
        "a.mp4,the man,3.5,10,20,30,40",
        "a.mp4,the man,1_0,10,20,30,40",
        "a.mp4,the man,\u0663,10,20,30,40",
        'a.mp4,the man,3,"10,5",20,30,40',
    ],
)
def test_values_that_moved_to_another_column_are_named(tmp_path: Path, row: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(f"{PLAIN}{row}\na.mp4,the man,7,10,20,30,40\n")
    bad: list[str] = []
    [label] = frames_csv.read(path, bad=bad)
    assert label.frames.tolist() == [7] and len(bad) == 1 and "row 2" in bad[0]


def test_a_sentence_in_the_last_column_is_not_cut_at_its_comma(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("video,frame,x1,y1,x2,y2,sentence\na.mp4,3,10,20,30,40,the man, in red\n")
    with pytest.raises(DatasetError, match=r"row 2 has 8 cells, the header has 7.*without quotes"):
        frames_csv.read(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("video,sentence,frame,x1,y1,x2,y2,frame\na.mp4,x,3,1,2,3,4,7\n", "two columns frame"),
        ("video;sentence;frame;x1;y1;x2;y2\na.mp4;x;3;1,5;2;3;4\na.mp4;x;4;1.5;2;3;4\n", "which mark is the decimal"),
        ("video;sentence;frame;x1;y1;x2;y2\na.mp4;x;3;1.000,5;2;3000;4\n", "a point and a comma"),
    ],
)
def test_a_table_that_can_be_read_in_two_ways_is_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(DatasetError, match=said):
        frames_csv.read(path)


def test_a_short_row_with_a_comma_in_its_sentence_is_named(tmp_path: Path) -> None:
    """It has as many cells as the header."""
    path = tmp_path / "x.csv"
    path.write_text(
        "video,frame,x1,y1,x2,y2,sentence,label\na.mp4,3,1,2,3,4,the man, in red\na.mp4,4,1,2,3,4, the man, T\n"
    )
    bad: list[str] = []
    [label] = frames_csv.read(path, bad=bad)
    assert (label.frames.tolist(), label.sentence, label.category) == ([4], "the man", "T")
    assert len(bad) == 1 and "row 2: its sentence seems to go on" in bad[0]
