"""A single drawn box: followed in the background and offered, and never the annotation's own."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from backend.annotations.read import READER
from backend.db.tables import Prediction
from backend.jobs.rereading import reread
from backend.jobs.usable_corrections import gather
from backend.jobs.versions import Versions
from backend.review import item, overlays
from stvg_core.settings import GroundingSettings
from tests.jobs.conftest import Loop, Region, suggest
from tests.jobs.ends import current, drawn_with_range, exported, marks, save
from tests.jobs.test_corrections import _box


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
    [_, span, _] = suggest(loop)
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


def test_a_single_box_teaches_no_ends(loop: Loop, suggested: list[Region]) -> None:
    """It is held to the end of the video: a calibration would learn that actions never end."""
    row = save(loop, [lone(loop)])
    with loop.database.read() as session:
        found = gather(session, Versions("fake", GroundingSettings(), base="fake@1/0"), GroundingSettings())
    assert not found.items and found.left_out == {"one drawn box: it does not say when the action ends": 1}
    assert marks(row)[0][0] == "lone"
