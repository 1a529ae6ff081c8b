"""Against a real Label Studio: what is pushed comes back, and its own interpolation agrees with ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.result import result_to_tubes, tube_to_result
from backend.labelstudio.transport import LabelStudioError
from stvg_core.tube import Tube
from tests.labelstudio.bodies import CONFIG, keyframe, region

pytestmark = pytest.mark.label_studio
OURS = read_config(CONFIG)
N_FRAMES = 60


@dataclass(frozen=True)
class Video:
    fps: float
    n_frames: int = N_FRAMES

    @property
    def duration_s(self) -> float:
        return self.n_frames / self.fps


@pytest.fixture(scope="module")
def project(client: LabelStudioClient) -> Iterator[int]:
    client.validate_config(CONFIG)
    number = int(client.create_project("contract", CONFIG)["id"])
    yield number
    client.delete_project(number)


def new_task(client: LabelStudioClient, project: int, fps: float) -> int:
    data = {"video": "/data/local-files/?d=clips/none.mp4", "query": "the red square", "fps": fps}
    return int(client.import_tasks(project, [{"data": data}])["task_ids"][0])


def wandering(start: int, end: int) -> Tube:
    generator = np.random.default_rng(7)
    corner = np.cumsum(generator.normal(0, 0.01, (end - start + 1, 2)), axis=0) + 0.4
    return Tube(start, np.concatenate([corner, corner + 0.3], axis=1))


def exported(client: LabelStudioClient, project: int, task: int) -> list[dict[str, Any]]:
    """The task's regions in Label Studio's export with every frame filled in."""
    [found] = [entry for entry in client.export(project, interpolate=True) if entry["id"] == task]
    regions: list[dict[str, Any]] = found["annotations"][0]["result"]
    return regions


@pytest.mark.parametrize("fps", [10.0, 25.0, 30000 / 1001])
def test_what_is_pushed_comes_back(client: LabelStudioClient, project: int, fps: float) -> None:
    task, tube = new_task(client, project, fps), wandering(7, 41)
    result = tube_to_result(tube, info=Video(fps), config=OURS, score=0.8, region_id="tube-1")
    payload = {"task": task, "model_version": "m", "score": 0.8, "result": result}
    prediction = client.create_prediction(payload, OURS)
    [back] = client.predictions(task)
    assert (back["result"], back["score"], back["model_version"]) == (result, 0.8, "m")

    client.create_annotation(task, back["result"], parent_prediction=prediction["id"], lead_time=1.5)
    [annotation] = client.annotations(task)
    assert annotation["parent_prediction"] == prediction["id"]
    [found] = result_to_tubes(annotation["result"], OURS, n_frames=N_FRAMES)
    assert found.intervals == ((7, 41),)
    [box] = [entry for entry in exported(client, project, task) if entry["type"] == "videorectangle"]
    assert_same_boxes(box["value"]["sequence"], found.tube)


@pytest.mark.parametrize(
    "sequence",
    [
        [keyframe(6, 10), keyframe(40, 60, enabled=False)],
        [keyframe(40, 60, enabled=False), keyframe(6, 10), keyframe(16, 40, y=5)],
        [keyframe(3, 0), keyframe(10, 9, enabled=False), keyframe(20, 19), keyframe(30, 29, enabled=False)],
        [keyframe(50, 10), keyframe(54, 20)],
    ],
    ids=["plain", "unsorted", "switched off and on", "open end"],
)
def test_its_interpolation_agrees_with_ours(
    client: LabelStudioClient, project: int, sequence: list[dict[str, Any]]
) -> None:
    task = new_task(client, project, 25.0)
    drawn = region(*sequence)
    drawn["value"] |= {"framesCount": N_FRAMES, "duration": N_FRAMES / 25}
    client.create_annotation(task, [drawn])
    [found] = result_to_tubes([drawn], OURS, n_frames=N_FRAMES)
    [box] = exported(client, project, task)
    frames = [frame - 1 for frame in sorted({entry["frame"] for entry in box["value"]["sequence"]})]
    assert frames == [frame for first, last in found.intervals for frame in range(first, last + 1)]
    assert_same_boxes(box["value"]["sequence"], found.tube)


def test_a_refused_project_is_explained(client: LabelStudioClient) -> None:
    with pytest.raises(LabelStudioError, match="title") as caught:
        client.create_project("x", CONFIG)
    assert not caught.value.temporary


def assert_same_boxes(sequence: list[dict[str, Any]], tube: Tube) -> None:
    """Label Studio's percent of the picture against our corners, frame by frame."""
    for entry in sequence:
        x, y, width, height = (entry[key] / 100 for key in ("x", "y", "width", "height"))
        ours = tube.boxes[entry["frame"] - 1 - tube.start_frame]
        np.testing.assert_allclose(ours, [x, y, x + width, y + height], atol=1e-5)
