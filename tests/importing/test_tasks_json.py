"""Label Studio's JSON: which video is a task about, whatever its interface calls it?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.importing.tasks_json import read
from backend.labelstudio.originals import ORIGINAL_KEY
from stvg_core.datasets.base import DatasetError

COPY, CLIP = "/data/local-files/?d=copies/a-h264-abababababab.mp4", "/data/local-files/?d=clips/a.avi"


def written(folder: Path, data: dict[str, Any]) -> Path:
    place = {"frame": 1, "x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "time": 0.04}
    region = {
        "id": "one", "type": "videorectangle", "from_name": "box", "to_name": "video",
        "value": {"framesCount": 9, "labels": ["Target"], "sequence": [{**place, "enabled": False}]},
    }  # fmt: skip
    path = folder / "tasks.json"
    path.write_text(json.dumps([{"data": data, "annotations": [{"result": [region]}]}]))
    return path


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"video": CLIP, "query": "the dog"}, "a.avi"),
        ({"video": COPY, ORIGINAL_KEY: CLIP, "query": "the dog"}, "a.avi"),
        ({"media": {"url": CLIP, "fps": 25}, "query": "the dog"}, "a.avi"),
        ({"media": {"url": COPY}, ORIGINAL_KEY: CLIP, "query": "the dog"}, "a.avi"),
    ],
)
def test_the_video_that_the_label_is_about(tmp_path: Path, data: dict[str, Any], name: str) -> None:
    [label] = read(written(tmp_path, data))
    assert (label.video, label.sentence) == (name, "the dog")


def test_two_that_could_be_meant_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="which of its data is the video"):
        read(written(tmp_path, {"one": CLIP, "two": "/data/local-files/?d=clips/b.mp4"}))
