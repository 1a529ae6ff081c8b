"""A person opens a task, sees the proposed tube on the object, drags its box, submits: is that in our database?

The same for a keyframe that is deleted afterwards.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from backend.db.annotations import versions
from backend.db.tables import Annotation
from backend.demo.check import stored_tube
from backend.demo.loop import job_states, preannotate
from stvg_core.boxes import box_iou
from tests.browser.labelling_page import LabellingPage
from tests.browser.timeline import delete_keyframe, go_to_frame_on_line
from tests.browser.waiting import until
from tests.e2e.loop import Loop, add_task

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

RIGHT_PX, DOWN_PX = 24, 15


def test_drag_the_box_submit_and_find_it_in_the_database(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "on-the-page.mp4", Fraction(30000, 1001))
    preannotate(loop.client, loop.database, loop.stack, project)
    (task,) = project.tasks
    (prediction,) = loop.client.predictions(task)
    region = prediction["result"][0]["id"]
    start, end = (prediction["result"][0]["value"]["sequence"][k]["frame"] for k in (0, -1))
    # The page cannot be brought to the very last frame: it stops one before.
    frame = min((start + end) // 2, project.tasks[task].n_frames - 1)

    labelling_page.open(project.id, task)
    with labelling_page.takes("go to a frame by its number"):
        labelling_page.go_to_frame(frame)
    before, seen = labelling_page.drawn(region), labelling_page.red_object()
    assert before is not None, f"no tube on frame {frame} of {start} to {end}"
    assert seen is not None
    overlap = box_iou(*(np.array([[b.x1, b.y1, b.x2, b.y2]]) for b in (before, seen)))[0]
    assert overlap > 0.5, f"the tube {before} is not on the object {seen}"

    with labelling_page.takes("move a box"):
        go_to_frame_on_line(labelling_page, region, frame)
        labelling_page.drag(region, RIGHT_PX, DOWN_PX)
        after = labelling_page.drawn(region)
        number = labelling_page.submit()
    assert after is not None
    assert after.x1 - before.x1 == pytest.approx(RIGHT_PX, abs=1)
    assert after.y1 - before.y1 == pytest.approx(DOWN_PX, abs=1)
    row = until("the annotation in the database", lambda: version(loop, number, 1))
    assert row.prediction_id == job_states(loop.database, project)[task][0].prediction_id
    assert row.lead_time_s is not None
    tube = stored_tube(row)
    assert tube is not None
    assert (tube.start_frame, tube.end_frame) == (start - 1, end - 1), "only one box was moved"
    # The picture is shown at its own size, so that a pixel of the window is a pixel of the video.
    width, height = 320, 240
    moved = tube.boxes[frame - 1 - tube.start_frame]
    proposed = proposed_box(prediction["result"][0]["value"]["sequence"], frame)
    assert width * (moved[0] - proposed[0]) == pytest.approx(RIGHT_PX, abs=1)
    assert height * (moved[1] - proposed[1]) == pytest.approx(DOWN_PX, abs=1)

    with labelling_page.takes("delete a keyframe"):
        delete_keyframe(labelling_page, region, frames(row).index(frame - 1))
        assert labelling_page.update() == number
    again = until("the annotation without the keyframe", lambda: version(loop, number, 2))
    assert frames(again) == [number for number in frames(row) if number != frame - 1]
    tube = stored_tube(again)
    assert tube is not None
    assert width * (tube.boxes[frame - 1 - tube.start_frame][0] - proposed[0]) == pytest.approx(0, abs=1)


def version(loop: Loop, number: int, count: int) -> Annotation | None:
    """The newest version of an annotation once there are so many."""
    with loop.database.read() as session:
        rows = versions(session, number)
    return rows[-1] if len(rows) == count else None


def frames(row: Annotation) -> list[int]:
    """The keyframes of the one tube, from 0."""
    (entry,) = row.tubes
    return [int(keyframe[0]) for keyframe in entry["keyframes"]]


def proposed_box(sequence: list[dict[str, float]], frame: int) -> tuple[float, float]:
    """Left and top edge at a frame by Label Studio's rule: linear between keyframes; fractions of the picture."""
    frames = [keyframe["frame"] for keyframe in sequence]
    x, y = (float(np.interp(frame, frames, [keyframe[key] for keyframe in sequence])) / 100 for key in ("x", "y"))
    return x, y
