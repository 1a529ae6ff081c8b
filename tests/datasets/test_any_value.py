"""Whatever stands where a value should be: the record is left out and named, or the file refused; never a traceback."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.importing import tasks_json
from stvg_core.datasets import coco, hcstvg, vidstg
from stvg_core.datasets.base import DatasetError, VideoLabel
from stvg_core.evaluation.prediction_files import read_predictions
from tests.datasets.small import hcstvg_entry, moving, vidor, vidstg_entry

ODD = st.sampled_from(
    [
        None,
        True,
        -1,
        0,
        2.5,
        10**30,
        10**400,
        float("nan"),
        float("inf"),
        1e300,
        "",
        "x",
        "\ud800",
        [],
        [[]],
        {},
        [1, 2],
    ]
)
BOX = [10, 20, 30, 40]
KEYFRAMES = [{"frame": f, "x": 1, "y": 2, "width": 3, "height": 4, "enabled": on} for f, on in ((2, True), (5, False))]
REGION = {
    "id": "r", "type": "videorectangle", "to_name": "video", "meta": {"text": ["the dog"]},
    "value": {"sequence": KEYFRAMES, "framesCount": 9, "labels": ["T"]},
}  # fmt: skip
SPAN = {"id": "r-span", "type": "timelinelabels", "value": {"ranges": [{"start": 2, "end": 5}]}}
CONTENTS: dict[str, Any] = {
    "hcstvg": {"a.mp4": hcstvg_entry(6, 3), "b.mp4": hcstvg_entry(6, 3)},
    "vidstg": [vidstg_entry("77", 10, 20), vidstg_entry("77", 10, 20)],
    "coco-vid": {
        "videos": [{"id": 1, "name": "walk", "width": 200, "height": 100, "length": 5}],
        "images": [{"id": 1, "video_id": 1, "frame_id": 0}, {"id": 2, "video_id": 1, "frame_id": 1}],
        "annotations": [{"image_id": i, "instance_id": 1, "category_id": 1, "bbox": BOX} for i in (1, 2)],
        "instances": [{"id": 1, "caption": "the man"}], "categories": [{"id": 1, "name": "person"}],
    },
    "youtube-vis": {
        "videos": [{"id": 1, "file_names": ["walk/0.jpg"], "width": 200, "height": 100, "length": 1}],
        "annotations": [{"video_id": 1, "category_id": 1, "bboxes": [BOX], "caption": "the man"}],
        "categories": [{"id": 1, "name": "person"}],
    },
    "labelstudio": [
        {"data": {"video": "/data/upload/1/a.mp4", "query": "the man"}, "annotations": [{"result": [REGION, SPAN]}]}
    ],
    "predictions": [{"video": "a.mp4", "query": "x", "start_frame": 0, "end_frame": 1, "boxes": {"0": BOX}}],
    "vidor": None,
}  # fmt: skip


def places(content: Any) -> Iterator[tuple[Any, ...]]:
    """Every place in the content, from the outside."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in inside:
        yield (key,)
        yield from ((key, *rest) for rest in places(value))


def read(kind: str, path: Path, bad: list[str]) -> list[VideoLabel]:
    readers: dict[str, Callable[[], list[VideoLabel]]] = {
        "hcstvg": lambda: [record.label() for record in hcstvg.read(path, bad=bad)],
        "coco-vid": lambda: coco.read_coco_vid(path, bad=bad),
        "youtube-vis": lambda: coco.read_youtube_vis(path, bad=bad),
        "labelstudio": lambda: tasks_json.read(path, bad=bad),
        "predictions": lambda: read_predictions(path) and [],
    }
    return (
        readers[kind]() if kind in readers else [r.label() for r in vidstg.read(path, path.parent / "vidor", bad=bad)]
    )


@pytest.mark.parametrize("kind", CONTENTS)
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_any_value_anywhere(kind: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        trajectories = vidor(Path(folder, "vidor"), "77", {0: moving(range(5, 30)), 1: moving(range(30))})
        changed = json.loads(trajectories.read_text()) if kind == "vidor" else copy.deepcopy(CONTENTS[kind])
        *outer, last = data.draw(st.sampled_from(list(places(changed))))
        place = changed
        for key in outer:
            place = place[key]
        place[last] = data.draw(ODD)
        path = Path(folder, "x.json")
        path.write_text(json.dumps(CONTENTS["vidstg"] if kind == "vidor" else changed))
        if kind == "vidor":
            trajectories.write_text(json.dumps(changed))
        bad: list[str] = []
        try:
            labels = read(kind, path, bad)
        except DatasetError as error:
            assert str(error)
            return
        assert all(bad)
        for label in labels:
            label.sentence.encode()
            label.tube((200, 100))
