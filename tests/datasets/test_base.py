"""What all formats share: names of videos, and labels that cannot be wrong in silence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from stvg_core.datasets.base import DatasetError, VideoLabel, parse_json, video_stem


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("0001/2793806282.mp4", "2793806282"),
        ("2793806282", "2793806282"),
        ("55_vfjywN5CN0Y.MKV", "55_vfjywn5cn0y"),
        ("C:\\clips\\a b.mov", "a b"),
        ("take.1", "take.1"),
        (".mp4", ".mp4"),
    ],
)
def test_a_videos_name_without_folder_and_ending(name: str, stem: str) -> None:
    assert video_stem(name) == stem


@pytest.mark.parametrize(
    ("frames", "boxes", "said"),
    [
        ([], np.zeros((0, 4)), "no boxes"),
        ([0, 1], np.zeros((1, 4)), "four numbers"),
        ([3, 3], np.zeros((2, 4)), "do not increase"),
        ([-1], np.zeros((1, 4)), "do not increase from 0"),
        ([0], np.full((1, 4), np.inf), "finite"),
        ([0, 1], np.array([[0, 0, 0.5, 1], [0, 0, 1, 1]]), "shares of the picture"),
    ],
)
def test_an_impossible_label_is_refused_by_name(frames: list[int], boxes: np.ndarray, said: str) -> None:
    with pytest.raises(DatasetError, match=f"record a.mp4.*{said}"):
        VideoLabel("a.mp4", "x", "", np.array(frames), boxes, None, "record a.mp4")


def test_a_json_file_that_was_cut_is_said_to_be() -> None:
    text = '[{"vid": "1", "segment": {"begin_fid": 0, "good": true, "rate": null}}, {"vid": "a b", "n": [12]}]'
    json.loads(text)
    for end in range(1, len(text)):
        with pytest.raises(DatasetError, match=r"val\.json ends in the middle"):
            parse_json(text[:end], "val.json")
    for other in ("", "video,query", "[1, 2,, 3]", '{"a" 1}', text + "]"):
        with pytest.raises(DatasetError, match="is not a JSON file"):
            parse_json(other, "val.json")
