"""A folder may stand for the files of a format that is a folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.importing.formats import read_labels
from stvg_core.datasets.base import DatasetError


def sequence(folder: Path) -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text("1,1,10,10,20,30,1,1,1\n2,1,12,10,20,30,1,1,1\n")
    (folder / "seqinfo.ini").write_text("[Sequence]\nseqLength=2\nimWidth=100\nimHeight=80\n")
    return folder


def test_one_mot_sequence_or_a_folder_of_them(tmp_path: Path) -> None:
    one, two = sequence(tmp_path / "all" / "one"), sequence(tmp_path / "all" / "two")
    assert [label.video for label in read_labels("mot", [one])[0]] == ["one"]
    assert [label.video for label in read_labels("mot", [tmp_path / "all"])[0]] == ["one", "two"]
    assert len(read_labels("mot", [two / "gt" / "gt.txt"])[0]) == 1


def test_a_folder_without_such_files_is_refused_with_their_names(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no gt/gt\.txt or \*/gt/gt\.txt"):
        read_labels("mot", [tmp_path])
    with pytest.raises(DatasetError, match="is a folder"):
        read_labels("hcstvg", [tmp_path])
