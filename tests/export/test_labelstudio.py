"""A real Label Studio imports what we export, as annotations and as predictions, and means the same by it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.db.engine import Database
from backend.db.tables import Video
from backend.export import labelstudio
from backend.export.record import Record
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.result import read_verdict, result_to_tubes
from labeling_config import video_tube
from stvg_core.keyframes import Keyframe, expand
from stvg_core.tube import Tube
from tests.export.labels import (
    CORRECTED_SENTENCE,
    GAP_SENTENCE,
    HEIGHT,
    N_FRAMES,
    WIDTH,
    Boxes,
    assert_same,
    expected,
    export,
    store,
)
from tests.export.rows import a_task, a_tube, annotate

OURS = read_config(video_tube())
LONE = 20
"""The gap example's interval of one frame: no keyframes of Label Studio's can say it between two others."""


def in_label_studio() -> dict[str, Boxes]:
    """What is expected, without the lone frame."""
    wanted = expected()
    del wanted[GAP_SENTENCE][LONE]
    return wanted


def drawn(regions: list[dict[str, Any]]) -> Boxes:
    """Corners in pixels on the frames on which the regions' one box is drawn, by our reading of them."""
    [found] = result_to_tubes(regions, OURS, n_frames=N_FRAMES)
    return pixels(found.tube, found.intervals)


def pixels(tube: Tube, intervals: tuple[tuple[int, int], ...]) -> Boxes:
    scaled = tube.boxes.astype(np.float64) * (WIDTH, HEIGHT, WIDTH, HEIGHT)
    frames = [frame for first, last in intervals for frame in range(first, last + 1)]
    return {frame: scaled[frame - tube.start_frame].tolist() for frame in frames}


def interpolated(region: dict[str, Any]) -> Boxes:
    """The same of Label Studio's own export with every frame filled in: frames from 1, percent."""
    found = {}
    for entry in region["value"]["sequence"]:
        x, y, width, height = (entry[key] / 100 for key in ("x", "y", "width", "height"))
        found[entry["frame"] - 1] = [x * WIDTH, y * HEIGHT, (x + width) * WIDTH, (y + height) * HEIGHT]
    return found


@pytest.fixture
def filled_url(sqlite_database: Database, sqlite_url: str) -> str:
    with sqlite_database.write() as session:
        store(session)
    return sqlite_url


def test_tasks_carry_the_data_that_the_interface_asks_for(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    export(filled_url, "labelstudio", out)
    first, second, third = json.loads(out.read_text())
    assert first["data"] == {"video": "/data/local-files/?d=clips/walk.mp4", "query": CORRECTED_SENTENCE, "fps": 25.0}
    verdicts = [read_verdict(task["annotations"][0]["result"], OURS) for task in (first, second, third)]
    assert verdicts == ["wrong time", "correct", None]
    boxes = {task["data"]["query"]: drawn(task["annotations"][0]["result"]) for task in (first, second, third)}
    assert_same(boxes, in_label_studio(), atol=1e-3)
    assert "labels" not in third["annotations"][0]["result"][0]["value"]
    assert "predictions" not in first


def test_predictions_have_neither_a_verdict_nor_an_invented_score(filled_url: str, tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    export(filled_url, "labelstudio", out, "--as", "predictions")
    for task in json.loads(out.read_text()):
        assert "annotations" not in task
        [prediction] = task["predictions"]
        assert prediction.keys() == {"model_version", "result"}
        assert {region["type"] for region in prediction["result"]} == {"videorectangle", "timelinelabels"}
        assert not [region for region in prediction["result"] if "score" in region]


def test_a_box_that_appears_on_the_last_frame_stays_on() -> None:
    last = N_FRAMES - 1
    keyframes = tuple(Keyframe(frame, np.array([0.1, 0.1, 0.4, 0.4])) for frame in (3, last))
    video = Video(width=WIDTH, height=HEIGHT, fps_num=25, fps_den=1, n_frames=N_FRAMES, duration_s=2.0)
    record = Record(
        project_id=1, task_id=2, annotation_id=3, author_id=None, video_ref="a.mp4", video=video, query="x",
        tube=expand(keyframes), keyframes=keyframes, intervals=((3, 9), (last, last)), label="Target", origin="drawn",
        verdict=None, judged_wrong=False, moment=datetime(2026, 11, 22, tzinfo=UTC), model_version=None, config=OURS,
    )  # fmt: skip
    [found] = result_to_tubes(labelstudio.regions_of(record, OURS), OURS, n_frames=N_FRAMES)
    assert found.intervals == record.intervals
    # Alone it is a box on one frame, which is switched off at once.
    alone = replace(record, intervals=((last, last),), keyframes=keyframes[1:], tube=expand(keyframes[1:]))
    regions = labelstudio.regions_of(alone, OURS)
    assert [entry["enabled"] for entry in regions[0]["value"]["sequence"]] == [False]
    assert result_to_tubes(regions, OURS, n_frames=N_FRAMES)[0].intervals == alone.intervals


def test_a_task_that_plays_a_copy_leaves_with_both_addresses(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    original, copy = "/data/local-files/?d=old.avi", "/data/local-files/?d=copies/old-h264-0123456789ab.mp4"
    with database.write() as session:
        task = a_task(session, 1, ref=original)
        task.data = {"video": copy, "stvg_original": original, "query": "x"}
        annotate(session, task, a_tube())
    export(database_url, "labelstudio", tmp_path / "tasks.json")
    [found] = json.loads((tmp_path / "tasks.json").read_text())
    assert (found["data"]["video"], found["data"]["stvg_original"]) == (copy, original)
    export(database_url, "csv", tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[1].startswith("old.avi,")


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[int]:
    number = int(client.create_project("exports", video_tube())["id"])
    yield number
    client.delete_project(number)


@pytest.mark.label_studio
def test_a_real_label_studio_takes_them_as_annotations(
    client: LabelStudioClient, project: int, filled_url: str, tmp_path: Path
) -> None:
    out = tmp_path / "tasks.json"
    export(filled_url, "labelstudio", out)
    answer = client.import_tasks(project, json.loads(out.read_text()))
    assert (answer["task_count"], answer["annotation_count"]) == (3, 3)
    found = {}
    for task in client.export(project, interpolate=True):
        [annotation] = task["annotations"]
        [region] = [entry for entry in annotation["result"] if entry["type"] == "videorectangle"]
        found[task["data"]["query"]] = interpolated(region)
    # Label Studio itself draws a lone keyframe that is off on its own frame.
    assert_same(found, expected(), atol=1e-2)


@pytest.mark.label_studio
def test_a_real_label_studio_takes_them_as_predictions(
    client: LabelStudioClient, project: int, filled_url: str, tmp_path: Path
) -> None:
    out = tmp_path / "tasks.json"
    export(filled_url, "labelstudio", out, "--as", "predictions")
    answer = client.import_tasks(project, json.loads(out.read_text()))
    assert (answer["task_count"], answer["prediction_count"]) == (3, 3)
    found = {}
    for task in client.tasks(project):
        assert not task["annotations"]
        [prediction] = client.predictions(task["id"])
        assert prediction["model_version"] == labelstudio.MODEL_VERSION
        found[task["data"]["query"]] = drawn(prediction["result"])
    assert_same(found, in_label_studio(), atol=1e-3)
