"""What arrives in Label Studio is what was found: once, on the same frames, at any frame rate."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.db.tables import Job, Prediction
from backend.demo import annotator
from backend.demo.loop import job_states
from stvg_core.boxes import box_iou
from stvg_core.tube import Tube
from tests.e2e.loop import RATES, Loop

pytestmark = pytest.mark.label_studio


def stored_prediction(loop: Loop, task: int) -> Prediction:
    number = job_states(loop.database, loop.project)[task][0].prediction_id
    with loop.database.read() as session:
        return session.get_one(Prediction, number)


def test_one_prediction_per_task_however_often_it_was_asked_for(loop: Loop) -> None:
    # The fixture opened every task twice at once and then asked for all of them in one call; here once more.
    for task in loop.project.tasks:
        annotator.open_task(loop.client, task)
    loop.client.retrieve_predictions(loop.project.id)
    for task in loop.project.tasks:
        assert len(loop.client.predictions(task)) == 1
    with loop.database.read() as session:
        assert session.query(Job).count() == session.query(Job.identity).distinct().count()


@pytest.mark.parametrize("number", range(len(RATES)), ids=[f"{float(fps):.2f} fps" for fps in RATES])
def test_frames_in_label_studio_are_the_decoders(loop: Loop, number: int) -> None:
    task, clip = sorted(loop.project.tasks.items())[number]
    stored = stored_prediction(loop, task)
    (shown,) = loop.client.predictions(task)
    assert loop.client.task(task)["data"]["fps"] == pytest.approx(float(RATES[number]), abs=1e-5)
    assert shown["model_version"] == stored.model_version
    assert shown["score"] == pytest.approx(stored.score, abs=1e-5)

    box, span, line = shown["result"]
    assert (line["id"], line["value"]["text"]) == (box["id"], ["Counts as the answer while it is a Target."])
    assert stored.keyframes is not None
    sequence = box["value"]["sequence"]
    assert [k["frame"] for k in sequence] == [keyframe[0] + 1 for keyframe in stored.keyframes]
    assert (sequence[0]["frame"], sequence[-1]["frame"]) == (stored.start_frame + 1, stored.end_frame + 1)
    assert span["value"]["ranges"] == [{"start": stored.start_frame + 1, "end": stored.end_frame + 1}]
    assert [k["enabled"] for k in sequence] == [True] * (len(sequence) - 1) + [False]
    assert box["value"]["framesCount"] == clip.n_frames
    for shown_keyframe, (_, x1, y1, x2, y2) in zip(sequence, stored.keyframes, strict=True):
        percent = [shown_keyframe[key] for key in ("x", "y", "width", "height")]
        assert percent == pytest.approx([100 * x1, 100 * y1, 100 * (x2 - x1), 100 * (y2 - y1)], abs=0.01)


def test_the_tube_lies_on_the_only_object_of_the_clip(loop: Loop) -> None:
    for task, clip in loop.project.tasks.items():
        stored = stored_prediction(loop, task)
        first = Tube(stored.start_frame or 0, [stored.keyframes[0][1:]])  # type: ignore[index]
        truth = clip.truth.boxes[first.start_frame : first.start_frame + 1]
        assert box_iou(first.boxes, truth)[0] > 0.5, f"{clip.path.name}: {first.boxes} is not on {truth}"


def test_the_web_process_never_loads_torch(loop: Loop) -> None:
    web = loop.stack.web.pid
    family = [p.parent for p in Path("/proc").glob("[0-9]*/stat") if group_of(p) == web]
    assert len(family) >= 1
    for process in family:
        assert "libtorch" not in (process / "maps").read_text(), "the web process has torch in its memory"
    worker = Path(f"/proc/{loop.stack.worker.pid}/maps").read_text()
    assert "libtorch" in worker, "the same look finds torch where it is"


def group_of(stat: Path) -> int | None:
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[2])
    except OSError:
        return None
