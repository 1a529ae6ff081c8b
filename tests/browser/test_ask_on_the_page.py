"""With Auto-Annotation on: a drawn box becomes a followed tube in its place, a typed sentence a further tube.

What was asked is in the saved annotation, each object with its own label and sentence.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from backend.annotations.objects import normal
from backend.annotations.target import COUNTS, COUNTS_ELSE
from backend.db import diffs
from backend.db.annotations import versions
from backend.db.tables import Annotation
from backend.demo.loop import preannotate
from tests.browser.box import Box
from tests.browser.labelling_page import LabellingPage
from tests.browser.timeline import go_to_frame, go_to_frame_on_line
from tests.browser.waiting import until
from tests.e2e.loop import Loop, add_task
from tests.e2e.painted_clip import QUERY, true_box

pytestmark = [pytest.mark.label_studio, pytest.mark.browser]

FRAME, OTHER_FRAME = 21, 31  # 1-based, as the page counts
SENTENCE = "the red square that waits"


def test_a_drawn_box_is_followed_and_a_typed_sentence_is_found(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "asked.mp4", Fraction(10))
    (task,) = project.tasks
    labelling_page.open(project.id, task)
    labelling_page.auto_annotation()
    labelling_page.select_what_is_drawn()

    with labelling_page.takes("draw and follow, box first"):
        go_to_frame(labelling_page, FRAME)
        seen, region, number = draw_and_submit(labelling_page)
    labelling_page.go_to_frame(OTHER_FRAME)
    followed, there = labelling_page.drawn(region), labelling_page.red_object()
    assert followed is not None, "the drawn box was not followed to another frame"
    assert there is not None
    assert followed.farthest_edge(there) < 8, (followed, there)
    assert there.x1 - seen.x1 > 20, "the square has moved"
    drawn = next(entry for entry in saved(loop, number).tubes if entry["region_id"] == region)
    assert len(drawn["keyframes"]) > 1

    with labelling_page.takes("ask again"):
        with labelling_page.asking():
            labelling_page.type_sentence(SENTENCE)
        assert {f"{COUNTS_ELSE} Target.", f"Answers: {SENTENCE}"} <= {*labelling_page.said_of_regions()}
        assert labelling_page.update() == number
    row = saved(loop, number, count=2)
    # The task's own suggestion may have come to the page meanwhile; it is a third region then.
    own = next(entry for entry in row.tubes if entry["region_id"] == region)
    (further,) = (entry for entry in row.tubes if entry.get("sentence"))
    assert "sentence" not in own, "it answers the task's own"
    assert own["label"] == "Target"
    x1, y1, x2, y2 = (edge / size for edge, size in zip(true_box(FRAME - 1, 320, 240), (320, 240) * 2, strict=True))
    assert box_at(own, FRAME - 1) == pytest.approx([x1, y1, x2, y2], abs=0.02)
    assert further["sentence"] == normal(SENTENCE)
    notes = {r["id"]: r["meta"]["text"] for r in row.result if "meta" in r}
    assert notes[region][0] == QUERY and "counts" in notes[region][1], "Label Studio keeps the note through Submit"
    with loop.database.read() as session:
        (compared,) = diffs.further(session, annotation_ids=[row.id])[row.id]
    assert (compared.object, compared.sentence, compared.change) == (1, normal(SENTENCE), "accepted as is")


def test_a_wrong_tube_is_deleted_and_a_drawn_box_followed_in_its_place(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "replaced.mp4", Fraction(10))
    preannotate(loop.client, loop.database, loop.stack, project)
    (task,) = project.tasks
    (prediction,) = loop.client.predictions(task)
    wrong = prediction["result"][0]["id"]
    labelling_page.open(project.id, task)
    labelling_page.auto_annotation()
    labelling_page.select_what_is_drawn()
    assert labelling_page.said_of_regions() == [f"{COUNTS} Target."]
    with labelling_page.takes("delete the wrong tube, draw and follow"):
        go_to_frame_on_line(labelling_page, wrong, FRAME)
        labelling_page.delete(wrong)
        _, region, number = draw_and_submit(labelling_page)
    assert labelling_page.said_of_regions() == [f"{COUNTS_ELSE} Target."]
    (entry,) = saved(loop, number).tubes
    assert (entry["region_id"], entry["label"]) == (region, "Target")
    for frame in (FRAME - 1, OTHER_FRAME - 1):
        truth = (edge / size for edge, size in zip(true_box(frame, 320, 240), (320, 240) * 2, strict=True))
        assert box_at(entry, frame) == pytest.approx([*truth], abs=0.03)


def test_a_tube_that_was_dragged_on_one_frame_is_followed_anew_and_keeps_its_label(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "dragged.mp4", Fraction(10))
    (task,) = project.tasks
    labelling_page.open(project.id, task)
    labelling_page.auto_annotation()
    labelling_page.go_to_frame(FRAME)
    seen = labelling_page.red_object()
    assert seen is not None
    # Drawn on the empty grey: followed, it stays where it is.
    beside = Box(seen.x1 + 60, seen.y1 + 60, seen.x2 + 60, seen.y2 + 60)
    region = labelling_page.draw(beside)
    labelling_page.click(beside)
    with labelling_page.asking():
        labelling_page.choose_label("Other")
    held = labelling_page.drawn(region)
    assert held is not None and held.farthest_edge(beside) < 3

    labelling_page.unselect()
    labelling_page.drag(region, -60, -60)
    labelling_page.click(seen)
    for _ in range(2):  # off, which asks for it without a label, and on again
        with labelling_page.asking():
            labelling_page.choose_label("Other")
    labelling_page.go_to_frame(OTHER_FRAME)
    followed, there = labelling_page.drawn(region), labelling_page.red_object()
    assert followed is not None and there is not None
    assert followed.farthest_edge(there) < 8, (followed, there)
    row = saved(loop, labelling_page.submit())
    entry = next(entry for entry in row.tubes if entry["region_id"] == region)
    assert (entry["label"], entry.get("sentence")) == ("Other", None)


def draw_and_submit(tab: LabellingPage) -> tuple[Box, str, int]:
    """Draw around the red object and click the label: the box, its region, and the number of what is submitted then."""
    seen = tab.red_object()
    assert seen is not None
    region = tab.draw(seen)
    with tab.asking():
        tab.choose_label("Target")
    return seen, region, tab.submit()


def saved(loop: Loop, number: int, count: int = 1) -> Annotation:
    """The newest version of an annotation once there are so many."""

    def stored() -> Annotation | None:
        with loop.database.read() as session:
            rows = versions(session, number)
        return rows[-1] if len(rows) >= count else None

    return until("the annotation in the database", stored)


def box_at(entry: dict[str, list[list[float]]], frame: int) -> list[float]:
    """The stored box at one of its keyframes, or between the two around it."""
    rows = entry["keyframes"]
    before = max((row for row in rows if row[0] <= frame), key=lambda row: row[0])
    after = min((row for row in rows if row[0] >= frame), key=lambda row: row[0])
    share = 0 if after[0] == before[0] else (frame - before[0]) / (after[0] - before[0])
    return [a + share * (b - a) for a, b in zip(before[1:], after[1:], strict=True)]


# Where the timeline ends, and where the bar with Submit begins, in pixels of the window.
EDGES_JS = """
() => {
  const edge = (selector, side) => document.querySelector(selector).getBoundingClientRect()[side];
  return [edge('[class*=timeline]', 'bottom'), edge('.lsf-bottombar', 'top')];
}
"""


def test_three_questions_leave_the_timeline_on_a_small_screen(
    labelling_page: LabellingPage, loop: Loop, document_root: Path
) -> None:
    project = add_task(loop, document_root / "painted", "three.mp4", Fraction(9))
    (task,) = project.tasks
    labelling_page.page.set_viewport_size({"width": 1280, "height": 800})
    labelling_page.open(project.id, task)
    labelling_page.auto_annotation()
    timeline, bar = labelling_page.page.evaluate(EDGES_JS)
    assert timeline <= bar
    for sentence in (SENTENCE, "the red square", "what moves"):
        with labelling_page.asking():
            labelling_page.type_sentence(sentence)
    assert labelling_page.page.evaluate(EDGES_JS) == [timeline, bar]
