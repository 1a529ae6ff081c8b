"""Is the tube drawn over the object on exactly the frames it was found on, at any frame rate?

The tube is pushed as the worker pushes it; where the object is, is read from the pixels that the browser shows.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from backend.labelstudio.client import LabelStudioClient
from backend.labelstudio.config import LabelConfig, read_config
from backend.labelstudio.result import tube_to_result
from stvg_core.tube import Tube
from stvg_core.video import probe
from tests.browser.labelling_page import LabellingPage
from tests.conftest import ROOT
from tests.e2e.painted_clip import MOVING, QUERY, paint_clip

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

START, END = MOVING.start + 3, MOVING.stop - 4  # 0-based, both included
EDGE_PX = 2.0  # compression blurs the square's edge by about a pixel


@pytest.fixture(scope="module")
def project(client: LabelStudioClient, document_root: Path) -> int:
    created = client.create_project("tubes on the page", (ROOT / "labeling_config" / "video_tube.xml").read_text())
    (document_root / "page").mkdir()
    client.create_local_storage(created["id"], str(document_root / "page"), title="clips", use_blob_urls=True)
    return int(created["id"])


@pytest.fixture(scope="module")
def config(client: LabelStudioClient, project: int) -> LabelConfig:
    return read_config(client.project(project)["label_config"])


@pytest.mark.parametrize(
    ("fps", "size"),
    [
        (Fraction(10), (320, 240)),
        (Fraction(25), (640, 480)),  # larger than the player: shown smaller
        (Fraction(30000, 1001), (320, 240)),
    ],
    ids=["10 fps", "25 fps", "29.97 fps"],
)
def test_the_tube_lies_on_the_object(
    labelling_page: LabellingPage,
    client: LabelStudioClient,
    document_root: Path,
    project: int,
    config: LabelConfig,
    fps: Fraction,
    size: tuple[int, int],
) -> None:
    name = f"square-{fps.numerator}-{fps.denominator}.mp4"
    whole = paint_clip(document_root / "page" / name, fps, *size)
    info = probe(document_root / "page" / name)
    tube = Tube(START, whole.boxes[START : END + 1])
    data = {"video": f"/data/local-files/?d=page/{name}", "query": QUERY, "fps": info.fps}
    task = client.import_tasks(project, [data])["task_ids"][0]
    result = tube_to_result(tube, info=info, config=config, score=0.9, region_id="tube-0123456789")
    client.create_prediction({"task": task, "model_version": "page", "score": 0.9, "result": result}, config)

    labelling_page.open(project, task)
    for frame in (START, START + 7, END - 9, END):
        labelling_page.go_to_frame(frame + 1)
        drawn, seen = labelling_page.drawn("tube-0123456789"), labelling_page.red_object()
        assert drawn is not None, f"nothing is drawn on frame {frame}"
        assert seen is not None, f"the object is not to be seen on frame {frame}"
        assert drawn.farthest_edge(seen) <= EDGE_PX, (frame, drawn, seen)
    for frame in (START - 1, END + 1):
        labelling_page.go_to_frame(frame + 1)
        assert labelling_page.red_object() is not None
        assert labelling_page.drawn("tube-0123456789") is None, f"the tube is still drawn on frame {frame}"
