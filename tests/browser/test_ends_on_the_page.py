"""Ends as people set them on Label Studio's page: by the handles of the range on the timeline, which are the only ones.

What is dragged there is found in the database, in the export and on the review page.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from backend.annotations.marks import FOLLOWED, LONE, of_tubes
from backend.db import diffs
from backend.db.annotations import versions
from backend.db.tables import Annotation, Diff
from backend.demo.check import stored_tube
from backend.demo.loop import DemoProject, preannotate
from backend.demo.reviewer import NAME
from stvg_core.boxes import box_iou
from stvg_core.datasets.hcstvg import read
from stvg_core.tube import Tube
from tests.browser.labelling_page import LabellingPage
from tests.browser.review_page import ReviewPage
from tests.browser.timeline import drag_range_end, go_to_frame
from tests.e2e.loop import Loop, add_task

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

PATIENCE_S = 90
_RUNS = itertools.count()
FRAMES = 6
FRAME = 21  # 1-based, as the page counts


def await_version(loop: Loop, number: int, wanted: Callable[[Annotation], bool]) -> Annotation:
    """Wait until the newest version of an annotation is as wanted."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with loop.database.read() as session:
            rows = versions(session, number)
        if rows and wanted(rows[-1]):
            return rows[-1]
        assert time.monotonic() < deadline, [(row.version, row.tubes) for row in rows]
        time.sleep(0.2)


def the_diff(loop: Loop, row: Annotation) -> Diff:
    with loop.database.read() as session:
        found = diffs.find(session, row.id)
    assert found is not None
    return found


def exported(loop: Loop, project: DemoProject, out: Path) -> Tube:
    """What leaves for the project's one clip."""
    (clip,) = project.tasks.values()
    loop.stack.run("export", "--format", "hcstvg2", "--out", str(out), "--project", str(project.id))
    return next(record.tube() for record in read(out) if record.video == clip.path.name)


def review_page(chromium: Browser, loop: Loop, row: Annotation) -> ReviewPage:
    tab = ReviewPage.open(chromium.new_context(viewport={"width": 1400, "height": 1000}).new_page(), loop.stack.url)
    tab.log_in(NAME, loop.stack.reviewer_password)
    assert row.task_id is not None
    tab.item(row.task_id)
    return tab


def prepared(loop: Loop, document_root: Path, name: str, fps: int) -> tuple[DemoProject, int, int, int]:
    """A task with its suggestion; its number, first and last frame (from 0).

    Each clip has a rate of its own, also when the test runs again: clips of the same content are one video, which
    leaves under one name, and what was followed in it once is known.
    """
    rate = Fraction(1000 * fps + next(_RUNS), 1000)
    project = add_task(loop, document_root / "painted", name, rate)
    preannotate(loop.client, loop.database, loop.stack, project)
    (task,) = project.tasks
    (prediction,) = loop.client.predictions(task)
    first, last = (prediction["result"][0]["value"]["sequence"][k]["frame"] - 1 for k in (0, -1))
    return project, task, first, last


def test_an_end_that_is_dragged_in_is_the_end(
    chromium: Browser, labelling_page: LabellingPage, loop: Loop, document_root: Path, tmp_path: Path
) -> None:
    project, task, first, last = prepared(loop, document_root, "shorter.mp4", 11)
    labelling_page.open(project.id, task)
    with labelling_page.takes("move an end"):
        drag_range_end(labelling_page, last - first, -FRAMES)
        number = labelling_page.submit()
    row = await_version(loop, number, lambda row: True)
    tube = stored_tube(row)
    assert tube is not None
    assert (tube.start_frame, tube.end_frame) == (first, last - FRAMES)
    found = the_diff(loop, row)
    assert (found.change, found.edits, found.end_shift) == ("ends moved", 1, -FRAMES)
    assert of_tubes(row.tubes) == ()
    left = exported(loop, project, tmp_path / "labels.json")
    assert (left.start_frame, left.end_frame) == (first, last - FRAMES)
    page = review_page(chromium, loop, row)
    expect(page.page.locator(".facts").first).to_contain_text(f"end −{FRAMES}")
    page.go_to(last - FRAMES)
    assert "correction" in page.drawn()
    page.go_to(last - FRAMES + 1)
    assert "correction" not in page.drawn() and "suggestion" in page.drawn()
    page.page.context.close()


def test_an_end_that_is_dragged_out_is_followed_in_the_video(
    chromium: Browser, labelling_page: LabellingPage, loop: Loop, document_root: Path, tmp_path: Path
) -> None:
    project, task, first, last = prepared(loop, document_root, "longer.mp4", 12)
    (clip,) = project.tasks.values()
    labelling_page.page.set_viewport_size({"width": 1900, "height": 1000})  # the timeline shows the frames up to there
    labelling_page.open(project.id, task)
    drag_range_end(labelling_page, last - first, FRAMES)
    number = labelling_page.submit()
    row = await_version(loop, number, lambda row: FOLLOWED in of_tubes(row.tubes))
    tube = stored_tube(row)
    assert tube is not None
    assert (tube.start_frame, tube.end_frame) == (first, last + FRAMES)
    truth = clip.truth.boxes[tube.end_frame]
    assert box_iou(tube.boxes[-1:], truth[None])[0] > 0.5, "the box is where the square is"
    assert the_diff(loop, row).edits == 1
    (stored,) = [entry for entry in loop.client.annotations(task) if entry["id"] == number]
    box = next(region for region in stored["result"] if region["type"] == "videorectangle")
    assert box["value"]["sequence"][-1]["frame"] == last + 1, "nothing is written into the annotation"
    left = exported(loop, project, tmp_path / "labels.json")
    assert left.end_frame == last + FRAMES
    page = review_page(chromium, loop, row)
    expect(page.page.locator("[data-mark]")).to_contain_text("followed")
    expect(page.page.locator(".history")).to_contain_text("read again")
    page.page.context.close()


def test_a_suggestion_that_is_submitted_as_it_is_stays_as_it_is(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    """The page itself rounds nothing: what nobody dragged is no correction."""
    project, task, _, _ = prepared(loop, document_root, "untouched.mp4", 13)
    labelling_page.open(project.id, task)
    row = await_version(loop, labelling_page.submit(), lambda row: True)
    assert (the_diff(loop, row).change, the_diff(loop, row).edits) == ("accepted as is", 0)


def test_a_box_that_is_drawn_under_a_chosen_label_is_followed_and_offered(
    chromium: Browser, labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    """Label first, then draw: Label Studio asks the backend nothing, the box runs to the end of the video."""
    project = add_task(loop, document_root / "painted", "label-first.mp4", Fraction(14000 + next(_RUNS), 1000))
    (task,) = project.tasks
    labelling_page.open(project.id, task)
    with labelling_page.takes("draw and follow, label first"):
        with labelling_page.takes("go to a frame on the timeline"):
            go_to_frame(labelling_page, FRAME)
        seen = labelling_page.red_object()
        assert seen is not None
        labelling_page.choose_label("Target")
        region = labelling_page.draw(seen)
        number = labelling_page.submit()
    row = await_version(loop, number, lambda row: True)
    drawn = next(entry for entry in row.tubes if entry["region_id"] == region)
    assert len(drawn["keyframes"]) <= 2 and of_tubes(row.tubes) == (LONE,)
    page = review_page(chromium, loop, row)
    expect(page.page.locator("[data-mark]")).to_contain_text("One drawn box")
    deadline = time.monotonic() + PATIENCE_S
    while not page.page.locator("[data-offered]").count():
        assert time.monotonic() < deadline, page.page.locator("[data-looking]").all_text_contents()
        time.sleep(0.5)
        page.item(row.task_id or 0)
    expect(page.page.locator("#legend")).to_contain_text("Followed from the drawn box")
    with loop.database.read() as session:
        assert [one.tubes for one in versions(session, row.ls_annotation_id)] == [row.tubes], "it stays out of it"
    page.page.get_by_role("button", name="Send it to Label Studio").click()
    expect(page.page.locator("p[role=status]")).to_contain_text("as a suggestion")
    deadline = time.monotonic() + PATIENCE_S
    while not any(entry["result"] for entry in loop.client.predictions(task)):
        assert time.monotonic() < deadline, "it never came to Label Studio"
        time.sleep(0.5)
    page.page.context.close()
