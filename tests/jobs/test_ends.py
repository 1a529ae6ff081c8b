"""An end that was dragged on the timeline: from the webhook to tube, edits, job, review page and export."""

from __future__ import annotations

import copy
import json
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner

from backend.cli.main import stvg
from backend.db import reviews
from backend.export.selection import is_accepted
from backend.jobs.rereading import reread
from backend.review import decisions, item
from backend.review.effort import stored_cases
from tests.jobs.conftest import Loop, Region
from tests.jobs.ends import current, dragged, drawn_with_range, ends, exported, marks, save, the_diff, tube
from tests.jobs.test_corrections import _box


def test_a_shorter_range_cuts_the_tube_and_is_one_edit(loop: Loop, suggested: list[Region]) -> None:
    first, last = ends(suggested)
    row = save(loop, dragged(suggested, end=-5))
    assert (tube(row).start_frame, tube(row).end_frame) == (first, last - 5) and not marks(row)
    found = the_diff(loop, row)
    assert (found.change, found.edits, found.end_shift, found.start_shift) == ("ends moved", 1, -5, 0)
    assert found.tiou is not None and found.tiou < 1
    [record], counts = exported(loop)
    assert (record.tube.end_frame, record.origin, record.marks) == (last - 5, "corrected", ())
    with loop.database.read() as session:
        [case] = stored_cases(session, Counter())
    assert (case.edits, case.change) == (1, "ends moved")
    assert not set(counts) & {"disagree", "held"}


def test_two_dragged_ends_are_two_edits_and_a_moved_box_is_one_more(loop: Loop, suggested: list[Region]) -> None:
    row = save(loop, dragged(suggested, start=3, end=-5))
    assert the_diff(loop, row).edits == 2
    moved = dragged(suggested, end=-5)
    moved[0]["value"]["sequence"][0]["y"] += 20
    found = the_diff(loop, save(loop, moved, minute=1))
    assert (found.edits, found.change) == (2, "ends and boxes moved")


def test_a_longer_range_is_held_then_followed_and_waits_for_review_again(loop: Loop, suggested: list[Region]) -> None:
    first, last = ends(suggested)
    row = save(loop, dragged(suggested, end=10))
    assert marks(row) == [("held", [last + 1, last + 10])]
    assert (tube(row).boxes[-1] == tube(row).boxes[last - first]).all()
    assert the_diff(loop, row).edits == 1
    with loop.database.write() as session:
        assert row.task_id is not None
        shown = item.look(session, row.task_id)
        assert shown is not None and shown.reading is not None
        assert "the last box is held" in shown.reading.marks[0] and "being followed" in shown.reading.looking[0]
        decisions.decide(session, row.task_id, reviews.ACCEPTED, reviewer="rita", seen=row.id)

    assert loop.worker.drain() == 1
    again = current(loop)
    assert loop.engine.extended == [(last, pytest.approx(tuple(tube(row).boxes[-1]), abs=1e-5), last + 1, last + 10)]
    assert marks(again) == [("followed", [last + 1, last + 10])]
    assert (again.id, again.version, again.reread_of) == (row.id + 1, 2, row.id)
    np.testing.assert_allclose(tube(again).boxes[-1], tube(row).boxes[-1] + 0.1, atol=2e-3)
    assert the_diff(loop, again).edits == 1, "what was followed is nobody's work"
    with loop.database.read() as session:
        assert again.task_id is not None
        assert decisions.standing(session, again.task_id) is None, "the reviewer saw the held boxes"
        shown = item.look(session, again.task_id)
        assert shown is not None and shown.reading is not None
        assert shown.row.state == "to review" and not shown.reading.looking
        assert shown.versions[0].reread_of == 1
    [record], counts = exported(loop)
    assert (record.tube.end_frame, record.marks, counts["followed"]) == (last + 10, ("followed",), 1)
    assert loop.worker.drain() == 0 and reread(loop.database) == 0


def test_an_object_that_is_lost_on_the_way_is_held_from_there(loop: Loop, suggested: list[Region]) -> None:
    _, last = ends(suggested)
    loop.engine.lost_after = 4
    save(loop, dragged(suggested, end=10))
    loop.worker.drain()
    assert marks(current(loop)) == [("followed", [last + 1, last + 4]), ("held", [last + 5, last + 10])]


def test_an_object_that_is_lost_at_once_stays_held(loop: Loop, suggested: list[Region]) -> None:
    _, last = ends(suggested)
    loop.engine.lost_after = 0
    row = save(loop, dragged(suggested, end=10))
    loop.worker.drain()
    assert marks(current(loop)) == [("held", [last + 1, last + 10])] and current(loop).id == row.id
    assert reread(loop.database) == 0 and loop.worker.drain() == 0


def test_a_video_that_cannot_be_read_leaves_the_box_held_and_says_why(loop: Loop, suggested: list[Region]) -> None:
    (loop.videos / "a.mp4").unlink()
    row = save(loop, dragged(suggested, end=10))
    for _ in range(5):
        loop.worker.drain()
        loop.make_due()
    with loop.database.read() as session:
        assert row.task_id is not None
        shown = item.look(session, row.task_id)
    assert shown is not None and shown.reading is not None
    [said] = shown.reading.looking
    assert "held" in said and "stvg jobs retry" in said
    assert current(loop).id == row.id


def test_two_people_who_want_the_same_share_one_job(loop: Loop, suggested: list[Region]) -> None:
    save(loop, dragged(suggested, end=10))
    save(loop, dragged(suggested, end=10), number=9)
    assert loop.worker.drain() == 1
    assert [marks(current(loop, number))[0][0] for number in (8, 9)] == ["followed", "followed"]


def test_an_update_that_only_moves_the_range_and_its_undo(loop: Loop, suggested: list[Region]) -> None:
    first, last = ends(suggested)
    save(loop, suggested)
    assert the_diff(loop, current(loop)).change == "accepted as is"
    row = save(loop, dragged(suggested, end=-5), minute=1)
    assert tube(row).end_frame == last - 5 and the_diff(loop, row).change == "ends moved"
    back = save(loop, suggested, minute=2)
    assert (tube(back).start_frame, tube(back).end_frame) == (first, last)
    assert (back.version, the_diff(loop, back).change, the_diff(loop, back).edits) == (3, "accepted as is", 0)


def test_both_changed_is_said_on_the_page_in_the_export_and_in_the_effort(loop: Loop, suggested: list[Region]) -> None:
    _, last = ends(suggested)
    both = dragged(suggested, end=-6)
    both[0]["value"]["sequence"][-1]["frame"] -= 2
    row = save(loop, both)
    assert tube(row).end_frame == last - 2 and [kind for kind, _ in marks(row)] == ["disagree"]
    [record], counts = exported(loop)
    assert record.tube.end_frame == last - 2 and counts["disagree"] == 1
    marked: Counter[str] = Counter()
    with loop.database.read() as session:
        stored_cases(session, Counter(), marked=marked)
        assert row.task_id is not None
        shown = item.look(session, row.task_id)
    assert marked == {"disagree": 1}
    assert shown is not None and shown.row.marks == ("disagree",)
    both[1]["value"]["ranges"][0]["end"] = last + 1 - 4
    assert not marks(save(loop, both, minute=1)), "2 frames apart"


@pytest.mark.parametrize(
    ("box", "span", "end", "kinds"),
    [(20, 15, 15, []), (20, 25, 25, ["held"]), (15, 20, 15, []), (12, 17, 12, ["disagree"])],
)
def test_a_label_that_is_corrected_later_is_compared_with_what_was_saved_before(
    loop: Loop, suggested: list[Region], box: int, span: int, end: int, kinds: list[str]
) -> None:
    """Drawn from nothing, saved, and sent back: then the range is dragged, or the box is cut, or both."""
    assert not marks(save(loop, drawn_with_range(suggested[1], box=20, end=20)))
    for minute in (1, 2):  # saved once more without a change: the same again
        row = save(loop, drawn_with_range(suggested[1], box=box, end=span), minute=minute)
        assert (tube(row).start_frame, tube(row).end_frame) == (5, end)
        assert [kind for kind, _ in marks(row)] == kinds
    assert reread(loop.database) == 0 and current(loop).id == row.id


def test_of_two_targets_the_page_says_which_one_counts(loop: Loop, suggested: list[Region]) -> None:
    row = save(loop, [*suggested, _box("second", last=40)])
    first, last = ends(suggested)
    with loop.database.read() as session:
        assert row.task_id is not None
        shown = item.look(session, row.task_id)
    assert shown is not None and shown.reading is not None
    assert shown.reading.target == (suggested[0]["id"], first, last) and shown.reading.rivals == 1
    [record], _ = exported(loop)
    assert record.tube.end_frame == last


def test_a_turned_box_is_boxes_moved(loop: Loop, suggested: list[Region]) -> None:
    turned = copy.deepcopy(suggested)
    for entry in turned[0]["value"]["sequence"]:
        entry["rotation"] = 30
    found = the_diff(loop, save(loop, turned))
    assert found.change == "boxes moved" and found.edits is not None and found.edits > 0
    [record], _ = exported(loop)
    shape = turned[0]["value"]["sequence"][0]
    x, y, width, height = (
        shape[key] / 100 * side for key, side in zip(("x", "y", "width", "height"), (320, 240) * 2, strict=True)
    )
    cos, sin = np.cos(np.pi / 6), np.sin(np.pi / 6)
    wanted = [x - height * sin, y, x + width * cos, y + width * sin + height * cos]
    np.testing.assert_allclose(record.corners()[0], np.clip(wanted, 0, [320, 240, 320, 240]), atol=0.05)


@pytest.mark.parametrize(("reason", "state"), [("wrong object", "rejected"), ("wrong start or end", "to review")])
def test_a_refusal_stays_unless_it_was_of_the_ends(
    loop: Loop, suggested: list[Region], reason: str, state: str
) -> None:
    row = save(loop, dragged(suggested, end=10))
    assert row.task_id is not None
    with loop.database.write() as session:
        decisions.decide(session, row.task_id, reviews.REJECTED, reason=reason, reviewer="rita", seen=row.id)
    loop.worker.drain()
    assert current(loop).reread_of == row.id
    with loop.database.read() as session:
        shown = item.look(session, row.task_id)
    assert shown is not None and shown.row.state == state
    [record], _ = exported(loop)
    assert record.decision == ("rejected" if state == "rejected" else None)
    assert not is_accepted(record), "refused, or to be looked at"
    with loop.database.write() as session:
        decisions.decide(session, row.task_id, reviews.ACCEPTED, reviewer="rita", seen=current(loop).id)
    assert is_accepted(exported(loop)[0][0])


def test_the_effort_report_says_what_to_look_at(
    loop: Loop, suggested: list[Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(loop, dragged(suggested, end=10))
    monkeypatch.setenv("STVG_DATABASE_URL", str(loop.database.engine.url))
    text = CliRunner().invoke(stvg, ["report", "effort"], catch_exceptions=False).output
    assert "look at 1 annotations: end set on the timeline: the last box is held" in text
    content = json.loads(CliRunner().invoke(stvg, ["report", "effort", "--json"], catch_exceptions=False).output)
    assert content["look_at"] == {"held": 1}
