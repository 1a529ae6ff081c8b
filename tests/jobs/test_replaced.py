"""Another file comes to lie at a video's address: what people saved about the old one is no label of the new one."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import select

from backend.db import jobs, schema
from backend.db.engine import Database
from backend.db.tables import Annotation, Job, Task
from backend.export.records import OUTDATED, records
from backend.jobs.corrections import read_events
from backend.jobs.rereading import reread
from backend.review.item import look
from tests.export.rows import a_prediction, a_task, a_tube, a_video, annotate
from tests.jobs.conftest import Loop
from tests.jobs.test_corrections import _saved, _send


def exported(loop: Loop) -> tuple[list[str], Counter[str]]:
    """The contents (by their first digits) that labels leave for, and the counts."""
    counts: Counter[str] = Counter()
    with loop.database.read() as session:
        return [record.video.sha256[:6] for record in records(session, counts)], +counts


def replaced(loop: Loop, content: bytes) -> None:
    """The file, and all answers asked for again."""
    (loop.videos / "a.mp4").write_bytes(content)
    with loop.database.write() as session:
        jobs.ask_again_many(session, list(session.scalars(select(Job.id))))
    loop.worker.drain()


@pytest.mark.parametrize("known_first", [True, False])
def test_a_label_stays_behind_until_somebody_saves_it_for_the_new_file(each_loop: Loop, known_first: bool) -> None:
    """Also one that was saved before any worker had read the old file."""
    loop = each_loop
    if not known_first:
        _send(loop, _saved())
        read_events(loop.database)
    loop.ask(loop.task(1))
    loop.worker.drain()
    if known_first:
        _send(loop, _saved())
    read_events(loop.database)
    reread(loop.database)
    [old], counts = exported(loop)
    assert counts["exported"] == 1

    replaced(loop, b"quite another film")
    found, counts = exported(loop)
    assert found == [] and counts[OUTDATED] == 1
    assert problems(loop) == ["Another file lies at the video's address"]

    replaced(loop, b"a.mp4")
    assert exported(loop)[0] == [old], "the old file is back"
    replaced(loop, b"quite another film")
    _send(loop, _saved("ANNOTATION_UPDATED", minute=30))
    read_events(loop.database)
    [new], counts = exported(loop)
    assert new != old and counts[OUTDATED] == 0
    assert problems(loop)[0] is None, "the newest version is about the file that lies there"


def problems(loop: Loop) -> list[Any]:
    """What the review page says of each version, newest first, up to the first comma or "since"."""
    with loop.database.read() as session:
        [task] = session.scalars(select(Task))
        found = look(session, task.id)
        assert found is not None
        said = [version.problem for version in found.versions]
    return [None if one is None else one.partition(" since")[0] for one in said]


def test_versions_from_before_are_about_what_they_were_suggested_for(database: Database) -> None:
    with database.write() as session:
        first, other = a_video(session, "a"), a_video(session, "b")
        for number in (1, 2, 3):
            task = a_task(session, number, video=first)
            suggested = a_prediction(session, task) if number < 3 else None
            annotate(session, task, a_tube(), prediction=suggested)
            task.video_id = other.id if number == 2 else first.id
        wanted = [first.id] * 3
    schema.downgrade(database.engine, "0008")
    schema.upgrade(database.engine)
    with database.read() as session:
        rows = session.scalars(select(Annotation).order_by(Annotation.ls_annotation_id)).all()
        assert [row.video_id for row in rows] == wanted
        assert [row.outdated for row in rows] == [False, True, False]
