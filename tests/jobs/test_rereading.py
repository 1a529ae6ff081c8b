"""Annotations that were read by the rule before are read again."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from backend.annotations.read import READER
from backend.cli.main import stvg
from backend.db import annotations as versions
from backend.db import reviews, schema
from backend.db.tables import Annotation, Followed, Job
from backend.jobs.corrections import read_events
from backend.jobs.rereading import reread
from backend.review import decisions
from tests.jobs.conftest import Loop, Region, suggest
from tests.jobs.ends import current, dragged, ends, old, save, the_diff, tube
from tests.jobs.test_corrections import _saved, _send


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
