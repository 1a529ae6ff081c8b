"""Label Studio's JSON: which video is a task about, whatever its interface calls it?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.annotations.objects import own_of
from backend.db.tables import Task, Video
from backend.export import labelstudio
from backend.export.record import Record, VideoLabels
from backend.importing.tasks_json import read
from backend.labelstudio.config import read_config
from backend.labelstudio.originals import ORIGINAL_KEY
from backend.labelstudio.result import result_to_tubes
from labeling_config import video_tube
from stvg_core.datasets.base import DatasetError
from stvg_core.keyframes import Keyframe, expand

COPY, CLIP = "/data/local-files/?d=copies/a-h264-abababababab.mp4", "/data/local-files/?d=clips/a.avi"


PLACE = {"frame": 1, "x": 10, "y": 10, "width": 20, "height": 20, "rotation": 0, "time": 0.04}


def region_of(*places: dict[str, Any], label: str = "Target", **more: Any) -> dict[str, Any]:
    """A box that is switched off at its last keyframe."""
    sequence = [{**PLACE, **place, "enabled": place is not places[-1]} for place in places]
    value = {"framesCount": 9, "labels": [label], "sequence": sequence}
    return {"id": "one", "type": "videorectangle", "from_name": "box", "to_name": "video", "value": value, **more}


def written(
    folder: Path, data: dict[str, Any], region: dict[str, Any] | None = None, kind: str = "annotations"
) -> Path:
    path = folder / "tasks.json"
    path.write_text(json.dumps([{"data": data, kind: [{"result": [region or region_of({})]}]}]))
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


@pytest.mark.parametrize("size", [(200, 100), (100, 200), (320, 240)])
def test_a_turned_box_is_turned_in_the_picture_that_the_video_has(tmp_path: Path, size: tuple[int, int]) -> None:
    """The file does not say the picture's size, and a turn keeps lengths in pixels."""
    turned = region_of({"x": 40, "rotation": 30}, {"frame": 6, "x": 40, "rotation": 120})
    [label] = read(written(tmp_path, {"video": CLIP, "query": "the dog"}, turned))
    [box] = result_to_tubes([turned], read_config(video_tube()), n_frames=9, aspect=size[0] / size[1])
    np.testing.assert_allclose(label.tube(size).boxes, box.tube.boxes, atol=1e-6)
    assert len(label.frames) == 6


@pytest.mark.parametrize(
    ("data", "label", "meta", "sentence"),
    [
        ({"query": "the dog"}, "Target", {"text": ["look again"]}, "the dog"),
        ({"caption": "the dog"}, "Person", {"text": ["look again"]}, "the dog"),
        ({"query": "the dog"}, "Other", {"text": ["the cat"]}, "the cat"),
        ({"query": "the dog"}, "Target", {"text": ["the cat"], "stvg": "one"}, "the cat"),
        ({"prompt": "the dog"}, "Person", {"text": ["the cat"]}, "the cat"),
        ({"prompt": "the dog"}, "Person", {}, ""),
    ],
)
def test_a_note_is_the_sentence_only_where_it_is_the_boxs_own(
    tmp_path: Path, data: dict[str, Any], label: str, meta: dict[str, Any], sentence: str
) -> None:
    [found] = read(written(tmp_path, {"video": CLIP, **data}, region_of({}, label=label, meta=meta)))
    assert found.sentence == sentence


def test_a_prediction_is_marked_as_one(tmp_path: Path) -> None:
    data = {"video": CLIP, "query": "the dog"}
    assert [label.predicted for label in read(written(tmp_path, data, kind="predictions"))] == [True]
    assert [label.predicted for label in read(written(tmp_path, data))] == [False]


OWN = """<View><Video name="v" value="$media.url" frameRate="$media.fps"/><VideoRectangle name="b" toName="v"/>
<Labels name="l" toName="v"><Label value="Person"/></Labels><Header value="$media.prompt"/></View>"""


@pytest.mark.parametrize("others", [{}, {"query": "number 7"}])
def test_an_export_from_an_interface_with_names_of_its_own_keeps_its_sentence(
    tmp_path: Path, others: dict[str, Any]
) -> None:
    """The file does not hold the interface, which alone says that the sentence is ``media.prompt``."""
    video = Video(sha256="a" * 64, width=320, height=240, fps_num=25, fps_den=1, n_frames=9, duration_s=1, size_bytes=1)
    keyframes = tuple(Keyframe(frame, np.array([0.1, 0.2, 0.5, 0.6], dtype=np.float32)) for frame in (2, 6))
    config = read_config(OWN)
    assert config.query_key == "media.prompt"
    record = Record(
        project_id=1, task_id=1, annotation_id=1, author_id=1, video_ref=CLIP, video=video, query="the dog",
        tube=expand(keyframes), keyframes=keyframes, intervals=((2, 6),), label="Person", origin="drawn", verdict=None,
        judged_wrong=False, moment=datetime.now(UTC), model_version=None, config=config,
        data={"media": {"url": CLIP, "prompt": "the dog"}, **others},
    )  # fmt: skip
    with labelstudio.write(tmp_path / "out.json") as add:
        add(VideoLabels("a.avi", "a", video, [record]))
    [label] = read(tmp_path / "out.json")
    assert (label.sentence, label.category, label.frames.tolist()) == ("the dog", "Person", [2, 3, 4, 5, 6])
    # Label Studio, and this service, take it for the task's own: it is no object with another sentence.
    [task] = json.loads((tmp_path / "out.json").read_text())
    known = Task(project_id=1, ls_task_id=1, query="the dog")
    assert own_of(known, task["annotations"][0]["result"], config, {}) == {}
