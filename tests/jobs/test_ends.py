"""An end that was dragged on the timeline: from the webhook to tube, edits, job, review page and export."""

from __future__ import annotations

import copy
import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.annotations.read import READER
from backend.annotations.rows import keyframes
from backend.cli.main import stvg
from backend.db import annotations as versions
from backend.db import reviews, schema
from backend.db.tables import Annotation, Diff, Followed, Job, Prediction
from backend.export.record import Record
from backend.export.records import records
from backend.export.selection import is_accepted
from backend.jobs.corrected import gather
from backend.jobs.corrections import read_events
from backend.jobs.rereading import reread
from backend.jobs.versions import Versions
from backend.review import decisions, item, overlays, recording
from backend.review.effort import stored_cases
from stvg_core.keyframes import expand
from stvg_core.settings import GroundingSettings
from stvg_core.tube import Tube
from tests.jobs.conftest import Loop
from tests.jobs.test_corrections import _box, _saved, _send

Region = dict[str, Any]


@pytest.fixture
def suggested(loop: Loop) -> list[Region]:
    """The regions of task 1's suggestion, as the page copies them into an annotation."""
    return suggest(loop)


def suggest(loop: Loop) -> list[Region]:
    loop.ask(loop.task(1))
    loop.worker.drain()
    [[body]] = loop.ask(loop.task(1))
    regions: list[Region] = body["result"]
    return regions


def dragged(regions: list[Region], *, start: int = 0, end: int = 0) -> list[Region]:
    """The same with the range's ends moved by so many frames."""
    changed = copy.deepcopy(regions)
    [ends] = changed[1]["value"]["ranges"]
    ends["start"] += start
    ends["end"] += end
    return changed


def save(loop: Loop, result: list[Region], *, minute: int = 0, number: int = 8) -> Annotation:
    """Submit or update; returns the version that counts."""
    action = "ANNOTATION_UPDATED" if minute else "ANNOTATION_CREATED"
    _send(loop, _saved(action, result=result, minute=minute, number=number))
    read_events(loop.database)
    return current(loop, number)


def current(loop: Loop, number: int = 8) -> Annotation:
    with loop.database.read() as session:
        return next(row for row in versions.current(session) if row.ls_annotation_id == number)


def tube(row: Annotation) -> Tube:
    return expand(keyframes(row.tubes[0]["keyframes"]))


def marks(row: Annotation) -> list[tuple[str, list[int]]]:
    return [(one["mark"], one["frames"]) for one in row.tubes[0].get("marks", [])]


def the_diff(loop: Loop, row: Annotation) -> Diff:
    with loop.database.read() as session:
        return session.scalars(select(Diff).where(Diff.annotation_id == row.id, Diff.object == 0)).one()


def exported(loop: Loop) -> tuple[list[Record], Counter[str]]:
    counts: Counter[str] = Counter()
    with loop.database.read() as session:
        return list(records(session, counts)), counts


def ends(regions: list[Region]) -> tuple[int, int]:
    """First and last frame of the suggestion, 0-based."""
    return tuple(regions[0]["value"]["sequence"][k]["frame"] - 1 for k in (0, -1))  # type: ignore[return-value]


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


def drawn_with_range(span: Region, *, box: int, end: int) -> list[Region]:
    """A box drawn by hand from frame 5 on, and a range set by hand, with these last frames (from 0)."""
    ranges = [{"start": 6, "end": end + 1}]
    return [_box("hand", last=box + 1), {**span, "id": "n", "value": {**span["value"], "ranges": ranges}}]


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


def lone(loop: Loop, *, frame: int = 20) -> Region:
    drawn = _box("hand")
    drawn["value"]["sequence"] = [drawn["value"]["sequence"][0] | {"frame": frame + 1}]
    return drawn


def test_a_single_drawn_box_is_followed_and_shown_and_stays_out_of_the_annotation(loop: Loop) -> None:
    suggest(loop)
    row = save(loop, [lone(loop)])
    assert marks(row) == [("lone", [20, 49])]
    assert loop.worker.drain() == 1 and loop.engine.prompts == [(20, pytest.approx((0.1, 0.2, 0.25, 0.5), abs=1e-4))]
    assert current(loop).id == row.id and current(loop).result == row.result and current(loop).tubes == row.tubes
    [record], counts = exported(loop)
    assert (record.tube.start_frame, record.tube.end_frame, counts["lone"]) == (20, 49, 1)
    with loop.database.read() as session:
        assert row.task_id is not None
        found = overlays.look(session, row.task_id)
        shown = item.look(session, row.task_id)
        assert shown is not None and shown.reading is not None and shown.reading.offered
        assert shown.suggestion is not None, "the task's own suggestion is still the one that is shown"
        prediction = session.scalars(select(Prediction).where(Prediction.prompt.is_not(None))).one()
        assert shown.suggestion.id != prediction.id
    assert found is not None
    [offered] = [tube for tube in found["tubes"] if tube["kind"] == "offered"]
    assert offered["intervals"] == [[15, 25]], "what the engine followed"


def test_a_single_box_stays_one_however_often_it_is_saved(loop: Loop, suggested: list[Region]) -> None:
    to_the_end = drawn_with_range(suggested[1], box=20, end=49)[1]
    to_the_end["value"]["ranges"][0]["start"] = 21
    for minute in (0, 1):
        assert marks(save(loop, [lone(loop), to_the_end], minute=minute)) == [("lone", [20, 49])]


def test_a_single_box_is_followed_over_the_range_that_was_set_around_it(loop: Loop) -> None:
    [_, span] = suggest(loop)
    by_hand = {**span, "id": "n", "value": {**span["value"], "ranges": [{"start": 11, "end": 41}]}}
    row = save(loop, [lone(loop), by_hand])
    assert row.tubes[0]["intervals"] == [[20, 40]], "the box begins where it was drawn"
    loop.worker.drain()
    assert loop.engine.extended == [(20, pytest.approx((0.1, 0.2, 0.25, 0.5), abs=1e-4), 10, 40)]
    with loop.database.read() as session:
        assert row.task_id is not None
        found = overlays.look(session, row.task_id)
    assert found is not None
    assert [tube["intervals"] for tube in found["tubes"] if tube["kind"] == "offered"] == [[[10, 40]]]
    assert current(loop).id == row.id


def test_a_single_box_on_a_video_that_was_never_read(loop: Loop) -> None:
    loop.task(1)
    row = save(loop, [lone(loop)])
    assert row.reader < READER
    assert loop.worker.drain() == 1
    assert reread(loop.database) == 0
    assert current(loop).id == row.id and current(loop).reader == READER, "read against the real video now"
    [record], _ = exported(loop)
    assert record.tube.end_frame == 49


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


def old(loop: Loop, row: Annotation, **values: Any) -> None:
    """As a version was left by the rule before: the box's own ends, no marks."""
    with loop.database.write() as session:
        stored = session.get_one(Annotation, row.id)
        entry = dict(stored.tubes[0])
        page = entry.pop("page", None) or {}
        kept = {key: entry[key] for key in ("region_id", "label", "intervals", "keyframes")} | page
        stored.tubes, stored.reader = [kept], 0
        for name, value in values.items():
            setattr(stored, name, value)
        session.query(Diff).filter(Diff.annotation_id == row.id).delete()
    recording.record_missing(loop.database)


def test_rows_of_the_rule_before_are_read_again_without_losing_anything(loop: Loop, suggested: list[Region]) -> None:
    _, last = ends(suggested)
    row = save(loop, dragged(suggested, end=-5))
    old(loop, row)
    assert the_diff(loop, row).change == "accepted as is", "as it was counted before"
    with loop.database.write() as session:
        assert row.task_id is not None
        decisions.decide(session, row.task_id, reviews.ACCEPTED, reviewer="rita", seen=row.id)
    assert reread(loop.database) == 1
    again = current(loop)
    assert (again.version, again.reread_of, tube(again).end_frame) == (2, row.id, last - 5)
    assert the_diff(loop, again).change == "ends moved" and the_diff(loop, row).change == "accepted as is"
    with loop.database.read() as session:
        assert row.task_id is not None
        assert decisions.standing(session, row.task_id) is None
        assert [one.decision for one in decisions.history(session, row.task_id)] == ["accepted"]
    assert reread(loop.database) == 0
    _send(loop, _saved(result=dragged(suggested, end=-5)))
    read_events(loop.database)
    with loop.database.read() as session:
        assert len(session.scalars(select(Annotation)).all()) == 2, "the saved state itself is known"


def test_rows_that_come_out_as_they_were_keep_their_decision(loop: Loop, suggested: list[Region]) -> None:
    row = save(loop, suggested)
    old(loop, row)
    with loop.database.write() as session:
        assert row.task_id is not None
        decisions.decide(session, row.task_id, reviews.ACCEPTED, reviewer="rita", seen=row.id)
    assert reread(loop.database) == 0
    assert (current(loop).id, current(loop).reader, current(loop).tubes[0]["target"]) == (row.id, READER, True)
    with loop.database.read() as session:
        assert row.task_id is not None
        standing = decisions.standing(session, row.task_id)
        assert standing is not None and standing.annotation_id == row.id


def test_older_versions_skips_and_rows_without_their_interface_stay(loop: Loop, suggested: list[Region]) -> None:
    first = save(loop, dragged(suggested, end=-5))
    second = save(loop, suggested, minute=1)
    for row in (first, second):
        old(loop, row)
    assert reread(loop.database) == 0
    with loop.database.read() as session:
        assert [row.reader for row in versions.versions(session, 8)] == [READER, READER]
        assert [row.id for row in versions.versions(session, 8)] == [first.id, second.id]
    lost = save(loop, dragged(suggested, end=-5), number=9)
    old(loop, lost, result=[])
    assert reread(loop.database) == 0 and len(current(loop, 9).tubes) == 1


def test_a_row_that_cannot_be_read_again_stops_no_other(each_loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    loop = each_loop
    regions = suggest(loop)
    broken, row = (save(loop, dragged(regions, end=-5), number=number) for number in (8, 9))
    for one in (broken, row):
        old(loop, one)
    with loop.database.write() as session:
        odd = [{"region_id": regions[0]["id"], "label": "Target"}]
        session.get_one(Annotation, broken.id).tubes = odd
    assert reread(loop.database) == 1 and reread(loop.database) == 0
    assert current(loop, 9).reread_of == row.id
    assert (current(loop).id, current(loop).reader, current(loop).tubes) == (broken.id, READER, odd)
    assert "annotation 8, version 1 stays as it was read" in caplog.text


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


def test_nothing_is_stored_twice(each_loop: Loop) -> None:
    loop = each_loop
    regions = suggest(loop)
    for _ in range(2):
        save(loop, dragged(regions, end=10))
        loop.worker.drain()
        reread(loop.database)
    with loop.database.read() as session:
        assert len(session.scalars(select(Annotation)).all()) == 2
        assert len(session.scalars(select(Followed)).all()) == 1
        assert len(session.scalars(select(Job)).all()) == 2


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


def test_upgrading_a_database_reads_its_annotations_again(
    loop: Loop, suggested: list[Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, last = ends(suggested)
    row = save(loop, dragged(suggested, end=-5))
    old(loop, row)
    schema.downgrade(loop.database.engine, "0003")
    monkeypatch.setenv("STVG_DATABASE_URL", str(loop.database.engine.url))
    said = CliRunner().invoke(stvg, ["db", "upgrade"], catch_exceptions=False).output
    assert "1 annotations were saved with another end on the timeline" in said
    assert tube(current(loop)).end_frame == last - 5 and tube(row).end_frame == last - 5
    again = CliRunner().invoke(stvg, ["db", "upgrade"], catch_exceptions=False).output
    assert "annotations" not in again


def test_the_effort_report_says_what_to_look_at(
    loop: Loop, suggested: list[Region], monkeypatch: pytest.MonkeyPatch
) -> None:
    save(loop, dragged(suggested, end=10))
    monkeypatch.setenv("STVG_DATABASE_URL", str(loop.database.engine.url))
    text = CliRunner().invoke(stvg, ["report", "effort"], catch_exceptions=False).output
    assert "look at 1 annotations: end set on the timeline: the last box is held" in text
    content = json.loads(CliRunner().invoke(stvg, ["report", "effort", "--json"], catch_exceptions=False).output)
    assert content["look_at"] == {"held": 1}


def test_a_single_box_teaches_no_ends(loop: Loop, suggested: list[Region]) -> None:
    """It is held to the end of the video: a calibration would learn that actions never end."""
    row = save(loop, [lone(loop)])
    with loop.database.read() as session:
        found = gather(session, Versions("fake", GroundingSettings(), base="fake@1/0"), GroundingSettings())
    assert not found.items and found.left_out == {"one drawn box: it does not say when the action ends": 1}
    assert marks(row)[0][0] == "lone"
