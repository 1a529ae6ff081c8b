"""``stvg import`` into a real Label Studio: what it stores is the label, and a second run adds nothing."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.import_labels import command
from backend.demo.label_studio import LabelStudioServer
from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import read_config
from backend.labelstudio.result import result_to_tubes
from labeling_config import video_tube
from stvg_core.boxes import box_iou
from stvg_core.datasets.hcstvg import HcStvgRecord, write_v2
from stvg_core.metrics import tiou
from stvg_core.tube import Tube
from stvg_core.video import probe
from tests.e2e.painted_clip import paint_clip

pytestmark = pytest.mark.label_studio
TITLE = "imported labels"
CONFIG = read_config(video_tube())


@pytest.fixture
def project(client: LabelStudioClient) -> Iterator[str]:
    yield TITLE
    for found in client.projects(TITLE):
        client.delete_project(int(found["id"]))


@pytest.mark.parametrize(("kind", "min_iou"), [("predictions", 0.89), ("annotations", 0.97)])
def test_a_label_arrives_once_and_comes_back(
    client: LabelStudioClient, label_studio: LabelStudioServer, document_root: Path, tmp_path: Path, project: str,
    kind: str, min_iou: float,
) -> None:  # fmt: skip
    clips = document_root / "imported"
    clips.mkdir(exist_ok=True)
    painted = paint_clip(clips / "painted.mp4", Fraction(30000, 1001))
    info = probe(clips / "painted.mp4")
    rng = np.random.default_rng(1)
    part = painted.boxes[5:25] + rng.normal(0, 0.004, (20, 4))
    tube = Tube(5, part)
    record = HcStvgRecord.from_tube(
        "painted.mp4", "the square that moves", tube, fps=info.fps, n_frames=info.n_frames, width=info.width,
        height=info.height,
    )  # fmt: skip
    write_v2([record], tmp_path / "labels.json")
    arguments = [
        str(tmp_path / "labels.json"), "--format", "hcstvg", "--project", project, "--videos", str(clips),
        "--document-root", str(document_root), "--as", kind, "--url", label_studio.url, "--token", label_studio.token,
    ]  # fmt: skip
    for said in (f"added 1 {kind}, 0 were there", f"added 0 {kind}, 1 were there"):
        result = CliRunner().invoke(command, arguments, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        assert said in result.output
    [found] = client.projects(project)
    [task] = list(client.tasks(int(found["id"])))
    assert task["data"]["fps"] == pytest.approx(info.fps, abs=1e-5)
    stored = client.predictions(int(task["id"])) if kind == "predictions" else client.annotations(int(task["id"]))
    assert len(stored) == 1
    if kind == "annotations":
        assert stored[0]["ground_truth"] is True
    [back] = result_to_tubes(stored[0]["result"], CONFIG, n_frames=info.n_frames)
    assert tiou(back.tube, tube) == 1.0
    assert box_iou(back.tube.boxes, tube.boxes).min() >= min_iou
