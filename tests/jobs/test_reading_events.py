"""Events that cannot be read, kill their reader, or are many: what is lost, and what does reading cost?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from backend.annotations import store as reading
from backend.annotations.read import BLIND, READER
from backend.db.lease import MAX_DEATHS
from backend.db.tables import Annotation, Diff, Event
from backend.jobs import storing, submissions
from backend.jobs.corrections import read_events
from backend.jobs.pace import Pace
from backend.jobs.rereading import reread
from tests.db.helpers import statements
from tests.jobs.conftest import Loop
from tests.jobs.ends import current, probe, save, tube
from tests.jobs.test_corrections import _annotation, _box, _current, _deleted, _saved, _send, _states


def test_what_is_known_is_not_read_again(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    save(loop, [_box()])

    def never(*args: Any, **more: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(submissions, "read_version", never)
    _send(loop, {**_saved(result=[_box()]), "sent": "once more, by another way"})
    read_events(loop.database)
    assert [state for state, _ in _states(loop)] == ["done", "done"]
    assert [row.version for row in _current(loop)] == [1]


def test_an_event_that_cannot_be_read_harms_no_other(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    read_version = submissions.read_version

    def defect(result: Any, *more: Any) -> Any:
        if result[0]["id"] == "bad":
            raise ZeroDivisionError
        return read_version(result, *more)

    monkeypatch.setattr(submissions, "read_version", defect)
    _send(loop, _saved(number=8), _saved(number=9, result=[_box("bad")]), _saved(number=10), _deleted(8))
    read_events(loop.database)
    assert [state for state, _ in _states(loop)] == ["done", "failed", "done", "done"]
    assert [row.ls_annotation_id for row in _current(loop)] == [10]


def test_an_event_with_more_annotations_than_a_transaction_holds(
    each_loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = each_loop
    monkeypatch.setattr(storing, "_PART", 2)
    body = _saved("ANNOTATIONS_CREATED")
    del body["annotation"]
    body["annotations"] = [_annotation(number, minute=minute) for number in (8, 9, 10) for minute in (0, 1)]
    _send(loop, body)
    assert read_events(loop.database) == 1
    assert [(row.ls_annotation_id, row.version) for row in _current(loop)] == [(8, 2), (9, 2), (10, 2)]
    assert _states(loop) == [("done", None)]


def test_boxes_of_an_unseen_video_are_not_filled_in_without_limit(loop: Loop) -> None:
    """A small body may say that a video has a hundred thousand frames."""
    long = _box()
    long["value"] |= {"framesCount": 100_000}
    long["value"]["sequence"][-1]["enabled"] = True
    row = save(loop, [long])
    assert row.tubes == [] and row.result and row.reader == BLIND
    assert row.problem is not None and f"more than {reading.MAX_BLIND_FRAMES}" in row.problem
    assert reread(loop.database) == 0, "nothing more is known"
    with loop.database.read() as session:
        assert session.scalars(select(Diff)).one().change == "unreadable"
    probe(loop, n_frames=60)
    assert reread(loop.database) == 1
    again = current(loop)
    assert (tube(again).end_frame, again.problem, again.reader) == (59, None, READER)
    assert again.reread_of == row.id


def test_reading_more_events_together_takes_no_more_statements(each_loop: Loop) -> None:
    """On SQLite each one holds up the webhooks that come meanwhile."""
    loop, counts = each_loop, []
    save(loop, [_box()], number=7)
    for first, count in ((10, 8), (20, 16)):
        _send(loop, *[_saved(number=number, completed_by=number) for number in range(first, first + count)])
        with statements(loop.database) as seen:
            assert read_events(loop.database, pace=Pace(60.0, fewest=count, most=count)) == count
        counts.append(len([one for one in seen if "clock_timestamp" not in one and "advisory" not in one]))
    assert counts[0] == counts[1] <= 30
    assert len(_current(loop)) == 25 and {state for state, _ in _states(loop)} == {"done"}


KILLED = """
import os, signal, sys
from backend.db.engine import Database
from backend.jobs import corrections, submissions
read_version = submissions.read_version
def kill(result, *more):
    if result[0]["id"] == "bad":
        os.kill(os.getpid(), signal.SIGKILL)
    return read_version(result, *more)
submissions.read_version = kill
corrections.read_events(Database(sys.argv[1]))
"""


def test_an_event_that_kills_its_readers_is_set_aside_alone(loop: Loop) -> None:
    url = loop.database.engine.url.render_as_string(hide_password=False)
    _send(loop, *[_saved(number=number, result=[_box("bad" if number == 9 else "R1")]) for number in (8, 9, 10)])
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    for _ in range(MAX_DEATHS):
        killed = subprocess.run([sys.executable, "-c", KILLED, url], env=environment, check=False)
        assert killed.returncode == -signal.SIGKILL
        loop.make_due()
    read_events(loop.database)
    assert [state for state, _ in _states(loop)] == ["done", "failed", "done"]
    reason = _states(loop)[1][1]
    assert reason is not None and f"{MAX_DEATHS} workers in a row" in reason
    assert [row.ls_annotation_id for row in _current(loop)] == [8, 10]


def test_a_database_that_is_away_costs_no_event_its_tries(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy.exc import OperationalError

    def away(*args: Any, **more: Any) -> None:
        raise OperationalError("", {}, Exception())

    _send(loop, _saved())
    with monkeypatch.context() as patch:
        patch.setattr(storing, "prepare", away)
        for _ in range(9):
            with pytest.raises(OperationalError):
                read_events(loop.database)
    with loop.database.read() as session:
        [event] = session.scalars(select(Event))
        assert (event.state, event.attempts) == ("new", 0)
        assert session.scalars(select(Annotation)).all() == []
    assert read_events(loop.database) == 1
