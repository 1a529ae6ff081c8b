"""MOTChallenge lines: frames from 1, objects by number, and the files that may lie beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.mot import read

LINES = """\
1,2,10,20,30,40,1,1,1.0
2,2,11,20,30,40,1,1,1
4,2,13,20,30,40,1,1,1

2,1,50,20,30,40,0,1,1
3,7,5,5,9,9,1,2,1
"""


def write(tmp_path: Path, lines: str) -> Path:
    path = tmp_path / "Campus-01" / "gt" / "gt.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines)
    return path


def test_lines_become_labels_by_object(tmp_path: Path) -> None:
    sequence = read(write(tmp_path, LINES))
    assert (sequence.name, sequence.ignored) == ("Campus-01", 1)
    first, second = sequence.labels
    assert (first.video, first.record, first.category, first.size) == (
        "Campus-01",
        "object 2 of gt.txt",
        "object",
        None,
    )
    np.testing.assert_array_equal(first.frames, [0, 1, 3])
    np.testing.assert_allclose(first.boxes[-1], [13, 20, 43, 60])
    assert first.missing == 1
    np.testing.assert_allclose(first.tube((100, 100)).boxes[2], [0.12, 0.2, 0.42, 0.6], atol=1e-6)
    np.testing.assert_array_equal(second.frames, [2])


def test_files_beside_it_say_the_rest(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    home = path.parent.parent
    (home / "seqinfo.ini").write_text("[Sequence]\nname=100%\nimWidth=200\nimHeight=100\nseqLength=40\n")
    (home / "sentences.json").write_text('{"2": "the man  in red"}')
    (path.parent / "labels.txt").write_text("person\ndog\n")
    first, second = read(path, video="a.mp4").labels
    assert (first.video, first.size, first.n_frames) == ("a.mp4", (200, 100), 40)
    assert (first.sentence, first.category) == ("the man in red", "person")
    assert (second.sentence, second.category) == ("", "dog")


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("1,2,10,20,30\n", "line 1 is not: frame, id"),
        ("1,2,10,20,30,40\n1,x,10,20,30,40\n", "line 2 is not"),
        ("0,2,10,20,30,40\n", "line 1 has an impossible frame"),
        ("1,2,10,20,-30,40\n", "line 1 has an impossible"),
        ("1,2,nan,20,30,40\n", "line 1 is not"),
        ("1_0,2,10,20,30,40\n", "line 1 is not"),
        ("1,2,10,5,20,5,30,5,40,5,1,1,1\n", "13 values, 10 at most"),
        ("1;2;10;20;30;40\n", "separated by semicolons"),
        ("1\t2\t10\t20\t30\t40\n", "separated by tabs"),
        ("1 2 10 20 30 40\n", "separated by spaces"),
        ("1e12,2,1,20,30,40\n", "line 1 has an impossible"),
        ("1.5,2,10,20,30,40\n", "whole numbers"),
        ("1,2,10,20,30,40\n1,2,10,20,30,40\n", "line 2: object 2 has a second box on frame 1"),
        ("1,2,10,20,30,40,0\n", "no box that counts"),
        ("", "no box that counts"),
    ],
)
def test_what_is_wrong_is_named_by_line(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read(write(tmp_path, lines))


def test_broken_files_beside_it_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, LINES)
    (path.parent.parent / "seqinfo.ini").write_text("[Other]\n")
    with pytest.raises(DatasetError, match="imWidth"):
        read(path)
    (path.parent.parent / "seqinfo.ini").unlink()
    (path.parent.parent / "sentences.json").write_text("[]")
    with pytest.raises(DatasetError, match=r"sentences\.json must hold"):
        read(path)
    with pytest.raises(DatasetError, match="cannot be read"):
        read(tmp_path / "none.txt")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1", "cp1252"])
def test_all_files_are_read_as_they_are_written(tmp_path: Path, encoding: str) -> None:
    path = write(tmp_path, "")
    for place, text in (
        (path, "1,2,10,20,30,40,1,1,1\r\n"),
        (path.parent / "labels.txt", "Fußgänger\r\n"),
        (path.parent.parent / "seqinfo.ini", "[Sequence]\nname=é\nimWidth=200\nimHeight=100\n"),
        (path.parent.parent / "sentences.json", '{"2": "der Fußgänger"}'),
    ):
        place.write_bytes(text.encode(encoding))
    named = encoding if encoding in ("latin-1", "cp1252") else None
    [label] = read(path, encoding=named).labels
    assert (label.category, label.sentence, label.size) == ("Fußgänger", "der Fußgänger", (200, 100))
    if named:
        with pytest.raises(DatasetError, match=r"line [12] is not UTF-8.*--encoding"):
            read(path)


def test_bad_lines_and_objects_are_left_out_and_named(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1,1,10,20,30,40\n2,1,10,20,-30,40\n3,1,10,20,30,40\n1,2,10,20,30,40\n1,2,11,20,30,40\n1,3,nan,20,30,40\n"
        "1,4,500,20,30,40\nx\n",
    )
    (path.parent.parent / "seqinfo.ini").write_text("[Sequence]\nimWidth=200\nimHeight=100\n")
    bad: list[str] = []
    [label] = read(path, bad=bad).labels
    assert (label.record, label.frames.tolist()) == ("object 1 of gt.txt", [0, 2])
    for place, said in enumerate(
        ("line 2 has an imp", "line 6 is not", "line 7: object 4 has a box outside", "line 8 is not", "second box")
    ):
        assert said in bad[place]
    assert len(bad) == 5


def test_a_stray_quote_hides_no_line_and_large_ids_stay_apart(tmp_path: Path) -> None:
    path = write(
        tmp_path, '1,"7",10,20,30,40\n"2,7,10,20,30,40\n1,9007199254740992,1,1,2,2\n1,9007199254740993,1,1,2,2\n'
    )
    records = [label.record for label in read(path).labels]
    assert records == [f"object {number} of gt.txt" for number in (7, 2**53, 2**53 + 1)]
    assert read(path).labels[0].frames.tolist() == [0, 1]


def test_a_line_of_another_length_is_named(tmp_path: Path) -> None:
    """Else a decimal comma would shift its values by one, and they would still look like a box."""
    path = write(tmp_path, "1,1,10,20,30,40,1,1,1\n2,1,10,5,20,30,40,1,1,1\n3,1,10,20,30,40,1,1\n4,1,9,9,9,9,1,1,1\n")
    bad: list[str] = []
    [label] = read(path, bad=bad).labels
    assert label.frames.tolist() == [0, 3]
    assert [said.partition(", ")[2][:25] for said in bad] == ["line 2 has 10 values, the", "line 3 has 8 values, the "]


CORNERS = "1,1,150,50,190,90\n2,1,10,10,40,30\n"


def test_corners_where_sizes_belong_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, CORNERS)
    (path.parent.parent / "seqinfo.ini").write_text("[Sequence]\nimWidth=200\nimHeight=100\n")
    with pytest.raises(DatasetError, match=r"object 1 of gt\.txt leaves the picture.*x1, y1, x2, y2"):
        read(path, bad=[])
    path.write_text(CORNERS + "3,1,150,50,60,20\n")  # an object at the border, in a file of sizes
    assert len(read(path).labels[0].frames) == 3
