"""Four layouts of predictions, told apart; frames counted as each does; what is wrong is named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError
from stvg_core.evaluation.prediction_files import read_predictions
from tests.datasets.small import hcstvg_entry

GROUND = {
    "video": "a.mp4", "query": "the man", "start_frame": 3, "end_frame": 4,
    "boxes": {"4": [1, 2, 3, 5], "3": [1, 2, 3, 4]},
}  # fmt: skip
NOTHING = {"video": "b.mp4", "query": "the dog", "start_frame": None, "end_frame": None, "boxes": {}}


def write(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "predictions.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


@pytest.mark.parametrize(
    "content",
    [[GROUND, NOTHING], f"{json.dumps(GROUND)}\n\n{json.dumps(NOTHING)}\n"],
    ids=["list", "lines"],
)
def test_stvg_grounds_own_lines(tmp_path: Path, content: Any) -> None:
    first, second = read_predictions(write(tmp_path, content))
    assert (first.video, first.sentence, first.first, first.last) == ("a.mp4", "the man", 3, 4)
    np.testing.assert_array_equal(first.frames, [3, 4])
    np.testing.assert_allclose(first.boxes, [[1, 2, 3, 4], [1, 2, 3, 5]])
    assert (second.first, second.last, len(second.frames)) == (None, None, 0)


def test_the_size_of_the_picture(tmp_path: Path) -> None:
    lines = [GROUND | {"width": 640, "height": 480}, NOTHING | {"width": 320, "height": 240}, GROUND]
    assert [one.size for one in read_predictions(write(tmp_path, lines))] == [(640, 480), (320, 240), None]
    stored = {"video": "77", "sentence": "who?", "pred_sted": [5, 9], "pred_boxes": {}, "width": 640, "height": 480}
    assert read_predictions(write(tmp_path, [stored]))[0].size == (640, 480)
    [record] = read_predictions(write(tmp_path, {"a.mp4": hcstvg_entry(6, 3)}))
    assert record.size == (hcstvg_entry(6, 3)["width"], hcstvg_entry(6, 3)["height"])
    for wrong in ({"width": 640}, {"width": 0, "height": 480}, {"width": "640", "height": 480}, {"height": 1.5}):
        with pytest.raises(DatasetError, match=r"for a.mp4 .* needs a width and a height"):
            read_predictions(write(tmp_path, [GROUND | wrong]))


@pytest.mark.parametrize(
    ("said", "segment"),
    [
        ({"segment": [0, 99], "n_frames": 100}, None), ({"segment": [10, 99], "n_frames": 100}, (10, 99)),
        ({"segment": [0, 50], "n_frames": 100}, (0, 50)), ({"segment": [0, 99]}, (0, 99)),
        ({"segment": None, "n_frames": 100}, None),
        ({"used_segment": [5, 9], "segment": [0, 99], "n_frames": 100}, (5, 9)),
    ],
)  # fmt: skip
def test_the_segment_that_was_looked_at(tmp_path: Path, said: dict[str, Any], segment: tuple[int, int] | None) -> None:
    """All of a video is no part of it: such a prediction is for every part that has the sentence."""
    assert read_predictions(write(tmp_path, [GROUND | said]))[0].segment == segment


def test_a_single_line(tmp_path: Path) -> None:
    [only] = read_predictions(write(tmp_path, GROUND))
    assert only.key == ("a", "the man")


def test_what_the_authors_programs_store(tmp_path: Path) -> None:
    entry = {"video": "77", "sentence": "who?", "pred_sted": [5, 9], "pred_boxes": {"2": [0, 0, 1, 1]}}
    plain, with_segment = read_predictions(write(tmp_path, [entry, entry | {"used_segment": [0, 30]}]))
    assert (plain.raw_ends, plain.first, plain.segment) == ((5, 9), None, None)
    assert with_segment.segment == (0, 30)


def test_hcstvg_files_and_the_challenges_results_count_from_one(tmp_path: Path) -> None:
    [record] = read_predictions(write(tmp_path, {"a.mp4": hcstvg_entry(6, 3)}))
    assert (record.first, record.last, record.sentence) == (5, 7, "the man sits down")
    np.testing.assert_allclose(record.boxes[1], [11, 20, 61, 60])
    challenge = {"a.mp4": {"st_frame": 6, "ed_frame": 8, "bbox": {"6": [0, 0, 1, 1], "8": [0, 0, 1, 2]}}}
    [result] = read_predictions(write(tmp_path, challenge))
    assert (result.first, result.last, result.sentence) == (5, 7, "")
    np.testing.assert_array_equal(result.frames, [5, 7])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "neither JSON nor JSON lines: see line 1"),
        (f"{json.dumps(GROUND)}\nx\n", "see line 2"),
        ("5", "holds no predictions"),
        ([GROUND, 3], 'prediction 2 names no "video"'),
        ([{**GROUND, "video": None}], 'prediction 1 names no "video"'),
        ([{"video": "a.mp4"}], r'prediction 1 \(a.mp4\) has no "query"'),
        ([{**GROUND, "end_frame": 2}], "ends before it starts: frames 3 to 2"),
        ([{**GROUND, "boxes": {"3": [1, 2, 3]}}], "without four finite numbers"),
        ([{**GROUND, "boxes": {"3": [1, 2, 3, 4], "4": [1]}}], "usable value|four finite"),
        ([{**GROUND, "boxes": {"3": [100, 2, 30, 40]}}], "ends before it starts on frame 3"),
        (f'[{{"video": "a", "video": "b"}}, {json.dumps(GROUND)}]', "the key 'video' twice"),
        (f'{json.dumps(GROUND)}\n{{"video": "a", "video": "b"}}\n', "line 2 has the key 'video' twice"),
        ([{**GROUND, "boxes": {"x": [1, 2, 3, 4]}}], "lacks a usable value"),
        ([{**GROUND, "boxes": [1]}], "lacks a usable value"),
        ([{"video": "a", "query": "x", "boxes": {}}], "lacks a usable value"),
        ([{"video": "a", "query": "x", "pred_sted": [1]}], "lacks a usable value"),
        ({"a.mp4": {"st_frame": 0, "ed_frame": 8, "bbox": {}}}, "a.mp4 has impossible frames"),
        ({"a.mp4": {"bbox": {}}}, "a.mp4 lacks a usable value"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, content: Any, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        read_predictions(write(tmp_path, content))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_predictions(tmp_path / "none.json")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="line 1 is not UTF-16"):
        read_predictions(tmp_path / "binary")
