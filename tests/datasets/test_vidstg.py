"""VidSTG's sentences joined with VidOR's trajectories: gaps, the exclusive end, and what is wrong where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.datasets.vidor import read_vidor
from stvg_core.datasets.vidstg import VidStgRecord, read
from tests.datasets.small import moving, vidor, vidstg_entry
from tests.evaluation.own_sentences import SENTENCES, write_sentences


def read_entries(tmp_path: Path, *entries: Any) -> list[VidStgRecord]:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps(list(entries)))
    return read(path, tmp_path / "vidor")


def test_a_sentence_gets_its_targets_boxes(tmp_path: Path) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(5, 30)), 1: moving(range(40), step=2)})
    caption, question = read_entries(tmp_path, vidstg_entry("77", 10, 20))
    assert (caption.kind, caption.category, caption.n_objects) == ("declarative", "dog", 2)
    assert (question.kind, question.category, question.sentence) == ("interrogative", "child", "who sits down?")
    assert (caption.start, caption.end, caption.segment) == (10, 20, (0, 39))
    np.testing.assert_array_equal(caption.frames, np.arange(10, 21))  # the box on the exclusive end is kept
    np.testing.assert_allclose(caption.boxes[0], [15, 20, 65, 60])
    np.testing.assert_allclose(question.boxes[0], [30, 20, 80, 60])


def test_as_a_label_the_end_is_exclusive_and_gaps_are_counted(tmp_path: Path) -> None:
    boxes = moving(range(10, 21))
    for frame in (13, 14):
        del boxes[frame]
    vidor(tmp_path / "vidor", "77", {0: boxes, 1: moving(range(40))})
    label = read_entries(tmp_path, vidstg_entry("77", 10, 20))[0].label()
    assert (label.frames[0], label.frames[-1], label.missing) == (10, 19, 2)
    assert label.sentence == "the dog runs"
    tube = label.tube((1, 1))  # the label's own size counts
    assert (tube.start_frame, tube.end_frame) == (10, 19)
    np.testing.assert_allclose(tube.boxes[4], [14 / 200, 0.2, 64 / 200, 0.6], atol=1e-6)  # filled linearly


def test_a_target_without_a_box_on_the_exclusive_end(tmp_path: Path) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(10, 20)), 1: moving(range(40))})
    record = read_entries(tmp_path, vidstg_entry("77", 10, 20))[0]
    assert record.frames[-1] == 19
    assert record.label().frames[-1] == 19


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vid": "78"}, "record 1: there are no trajectories of video 78"),
        ({"temporal_gt": {"begin_fid": 20, "end_fid": 20}}, r"record 1 \(video 77\) has an impossible interval"),
        (
            {"temporal_gt": {"begin_fid": 36, "end_fid": 39}},
            'target 0 of "the dog  runs" has no box from frame 36 to 39',
        ),
        ({"used_segment": None}, r"record 1 \(video 77\) lacks a usable value"),
        ({"captions": [{"description": "x"}]}, r"record 1 \(video 77\) lacks a usable value \('target_id'\)"),
        ({"width": 0}, "impossible"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(5, 30)), 1: moving(range(40))})
    with pytest.raises(DatasetError, match=said):
        read_entries(tmp_path, vidstg_entry("77", 10, 20) | changes)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no folder"):
        read_entries(tmp_path, vidstg_entry("77", 10, 20))
    (tmp_path / "vidor").mkdir()
    (tmp_path / "object.json").write_text("{}")
    with pytest.raises(DatasetError, match="a list of videos"):
        read(tmp_path / "object.json", tmp_path / "vidor")
    with pytest.raises(DatasetError, match="record 1: there are no trajectories of video without vid"):
        read_entries(tmp_path, 5)


def test_a_broken_trajectory_is_named_by_frame(tmp_path: Path) -> None:
    path = vidor(tmp_path, "77", {3: {4: (10, 10, 5, 20)}})
    with pytest.raises(DatasetError, match="object 3 has an impossible box on frame 4"):
        read_vidor(path)
    content = json.loads(path.read_text())
    content["trajectories"][4] = [{"tid": 3}]
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match="frame 4 holds an object without"):
        read_vidor(path)
    path.write_text(json.dumps([1]))
    with pytest.raises(DatasetError, match="not a VidOR"):
        read_vidor(path)


def test_one_video_with_two_segments_and_ends_with_and_without_a_box(tmp_path: Path) -> None:
    own = write_sentences(tmp_path)
    records = read(own.annotations, own.vidor)
    assert len(records) == 2 * len(SENTENCES)
    assert {record.kind for record in records} == {"declarative", "interrogative"}
    for record in records:
        assert set(range(record.start, record.end)) <= set(record.frames.tolist())
        label = record.label()
        assert (label.frames[0], label.frames[-1]) == (record.start, record.end - 1)
    # One target has a box on the exclusive end, another of the same interval has none.
    assert {record.frames[-1] for record in records if record.end == 99} == {98, 99}
    assert len({record.segment for record in records if record.start == 40}) == 2


def test_what_cannot_be_used_is_left_out_and_named_and_the_rest_comes(tmp_path: Path) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(5, 30)), 1: moving(range(15))})
    path = vidor(tmp_path / "vidor", "80", {0: moving(range(40)), 1: moving(range(40))})
    content = json.loads(path.read_text())
    content["trajectories"][12].append(content["trajectories"][12][0])  # object 0 is there twice
    content["trajectories"][35][1]["bbox"]["xmin"] = float("nan")
    path.write_text(json.dumps(content))
    entries = [
        vidstg_entry("77", 20, 25),  # object 1 has no box there
        vidstg_entry("78", 10, 20),  # no such trajectories
        vidstg_entry("77", 10, 10),  # ends before it starts
        vidstg_entry("77", 10, 14, width=100),  # of another picture
        vidstg_entry("77", 10, 14, frame_count=80),  # of another frame rate
        vidstg_entry("80", 10, 20),  # object 0 doubled on frame 12; object 1 is broken later only
        5,
    ]
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps(entries))
    bad: list[str] = []
    found = read(file, tmp_path / "vidor", bad=bad)
    assert [(record.video, record.target_id) for record in found] == [("77", 0), ("80", 1)]
    for said, sentence in zip(
        (
            'target 1 of "who sits down?" has no box', "no trajectories of video 78", "impossible interval",
            "picture of 100x100, its trajectories are for 200x100", "counts 80 frames, its trajectories 40",
            "object 0 has two boxes on frame 12",
            "no trajectories of video without vid",
        ),
        bad, strict=True,
    ):  # fmt: skip
        assert said in sentence


def test_two_files_about_one_video_are_no_guess(tmp_path: Path) -> None:
    path = vidor(tmp_path / "vidor", "77", {0: moving(range(40)), 1: moving(range(40))})
    (tmp_path / "vidor" / "more").mkdir()
    (tmp_path / "vidor" / "more" / "77.json").write_text(path.read_text())
    with pytest.raises(DatasetError, match="video 77 has two files"):
        read_entries(tmp_path, vidstg_entry("77", 10, 20))


@pytest.mark.parametrize("place", ["temporal_gt", "used_segment"])
def test_a_frame_that_is_no_whole_number_is_not_cut_off(tmp_path: Path, place: str) -> None:
    vidor(tmp_path / "vidor", "77", {0: moving(range(40)), 1: moving(range(40))})
    entry = vidstg_entry("77", 10, 20, **{place: {"begin_fid": 10.9, "end_fid": 20}})
    with pytest.raises(DatasetError, match=r"lacks a usable value \(10.9 is no whole number"):
        read_entries(tmp_path, entry)
