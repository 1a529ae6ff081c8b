"""What was read outside of a transaction is written only where it still holds, whoever else reads or decides."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import select, text

from backend.annotations.read import READER
from backend.db import annotations as versions
from backend.db import follow_results, predictions, reviews, task_state
from backend.db.tables import Task, TaskState
from backend.jobs import storing
from backend.jobs.corrections import read_events
from backend.jobs.pace import Pace
from backend.jobs.rereading import reread
from backend.review import decisions
from tests.jobs.conftest import Loop, suggest
from tests.jobs.ends import current, drawn_with_range, marks, old, probe, save, tube
from tests.jobs.test_corrections import _box, _current, _saved, _send, _states


class Between:
    """Does something after an annotation was computed and before it is written; counts how often it was computed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, change: Callable[[], object], *, times: int = 1) -> None:
        self.computed = 0
        prepare = storing.prepare

        def and_then(*args: Any) -> storing.Prepared:
            found = prepare(*args)
            self.computed += 1
            if self.computed <= times:
                change()
            return found

        monkeypatch.setattr(storing, "prepare", and_then)


def the_task(loop: Loop) -> tuple[Task, TaskState]:
    with loop.database.read() as session:
        task = session.scalars(select(Task)).one()
        state = task_state.of_task(session, task.id)
    assert state is not None
    return task, state


def read_together(loop: Loop, monkeypatch: pytest.MonkeyPatch, bodies: Sequence[Any], *, first: int) -> None:
    """Each event by a reader of its own: all have computed before anybody writes, and ``first`` writes first."""
    _send(loop, *bodies)
    computed, written = threading.Barrier(len(bodies), timeout=60), threading.Event()
    began = threading.local()
    prepare = storing.prepare

    def wait(*args: Any) -> storing.Prepared:
        found = prepare(*args)
        if not getattr(began, "once", False):
            began.once = True
            computed.wait()
            [plan] = found.plans
            minute = plan.annotation.updated_at.minute  # type: ignore[attr-defined]
            if minute != first:
                assert written.wait(60)
        return found

    def read(_: int) -> None:
        read_events(loop.database, pace=Pace(1.0, fewest=1, most=1))
        written.set()

    with monkeypatch.context() as patch, ThreadPoolExecutor(len(bodies)) as pool:
        patch.setattr(storing, "prepare", wait)
        list(pool.map(read, range(len(bodies))))


@pytest.mark.parametrize("first", [0, 1])
def test_two_readers_of_one_task_lose_nothing(each_loop: Loop, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    loop = each_loop
    save(loop, [_box()], number=7)
    bodies = [_saved(minute=0, number=8), _saved(minute=1, number=9, completed_by=5)]
    read_together(loop, monkeypatch, bodies, first=first)
    assert {state for state, _ in _states(loop)} == {"done"}
    assert [row.ls_annotation_id for row in _current(loop)] == [7, 8, 9]
    task, state = the_task(loop)
    newest = next(row for row in _current(loop) if row.ls_annotation_id == 9)
    assert (state.state, state.people, state.annotation_id, state.author_id) == ("to review", 2, newest.id, 5)
    kept = state.said
    with loop.database.write() as session:
        task_state.refresh(session, [task.id])
    assert the_task(loop)[1].said == kept


@pytest.mark.parametrize("first", [0, 1])
def test_two_readers_of_one_annotation_read_the_later_version_by_the_earlier(
    each_loop: Loop, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """Drawn and saved, then the range was dragged: that is known only where the first save is."""
    loop = each_loop
    span = suggest(loop)[1]
    bodies = [
        _saved(minute=minute, result=drawn_with_range(span, box=20, end=end)) for minute, end in enumerate((20, 15))
    ]
    read_together(loop, monkeypatch, bodies, first=first)
    reread(loop.database)
    row = current(loop)
    assert tube(row).end_frame == 15 and not marks(row)
    _, state = the_task(loop)
    assert state.annotation_id == row.id and state.people == 1
    with loop.database.read() as session:
        known = versions.versions(session, 8)
        assert [one.version for one in known] == list(range(1, len(known) + 1))
        assert sum(one.current for one in known) == 1


def test_a_video_that_became_known_meanwhile_is_read_by(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = each_loop
    save(loop, [_box()], number=7)
    between = Between(monkeypatch, lambda: probe(loop, n_frames=40))
    endless = _box()
    endless["value"]["sequence"][-1]["enabled"] = True  # runs to the end: frame 49 by its own word
    row = save(loop, [endless])
    assert tube(row).end_frame == 39 and row.reader == READER and between.computed == 2


def test_a_reading_that_changes_all_the_time_is_computed_inside_the_transaction(
    each_loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = each_loop
    save(loop, [_box()], number=7)

    def another_sentence() -> None:
        with loop.database.write() as session:
            task = session.scalars(select(Task)).one()
            task.query += "!"

    between = Between(monkeypatch, another_sentence, times=storing.TRIES)
    assert save(loop, [_box()]).ls_annotation_id == 8
    assert between.computed == storing.TRIES + 1


def test_what_was_found_meanwhile_is_part_of_the_tube(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that follows the end while the same is read once more: nobody would read it again afterwards."""
    regions = suggest(loop)
    longer = [regions[0], {**regions[1], "value": {**regions[1]["value"]}}]
    start = regions[1]["value"]["ranges"][0]
    longer[1]["value"]["ranges"] = [{**start, "end": start["end"] + 10}]
    save(loop, longer)
    between = Between(monkeypatch, lambda: loop.worker.drain(), times=1)
    row = save(loop, longer, minute=1)
    assert [kind for kind, _ in marks(row)] == ["followed"] and between.computed > 1


def test_what_was_followed_for_somebody_else_meanwhile_is_part_of_the_tube(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else changed: neither the task nor the annotation."""
    regions = suggest(loop)
    regions[1]["value"]["ranges"][0]["end"] += 10
    prepare = storing.prepare

    def and_then(*args: Any) -> storing.Prepared:
        found = prepare(*args)
        for sha256, wish in found.missing:
            with loop.database.write() as session:
                video = predictions.find_video(session, sha256)
                assert video is not None and wish.first is not None and wish.last is not None
                rows = [[wish.first, *wish.box], [wish.last, *wish.box]]
                follow_results.store(
                    session, sha256, wish.key, video_id=video.id, wish=wish.to_json(), keyframes=rows,
                    seen_first=wish.first, seen_last=wish.last,
                )  # fmt: skip
        return found

    monkeypatch.setattr(storing, "prepare", and_then)
    assert [kind for kind, _ in marks(save(loop, regions))] == ["followed"]


def test_a_decision_about_the_version_before_stays_with_it(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = each_loop
    before = save(loop, [_box()])

    def accept() -> None:
        with loop.database.write() as session:
            assert before.task_id is not None
            decisions.decide(session, before.task_id, reviews.ACCEPTED, reviewer="rita", seen=before.id)

    Between(monkeypatch, accept)
    row = save(loop, [_box(x=20)], minute=1)
    _, state = the_task(loop)
    assert (state.state, state.annotation_id, state.decision) == ("to review", row.id, None)
    with loop.database.read() as session:
        assert [one.annotation_id for one in session.scalars(select(reviews.Review))] == [before.id]


def test_a_refusal_between_computing_and_writing_is_carried_over(
    each_loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = each_loop
    regions = suggest(loop)
    regions[1]["value"]["ranges"][0]["end"] -= 5
    row = save(loop, regions)
    old(loop, row)

    def refuse() -> None:
        with loop.database.write() as session:
            assert row.task_id is not None
            decisions.decide(
                session, row.task_id, reviews.REJECTED, reason="wrong object", reviewer="rita", seen=row.id
            )

    Between(monkeypatch, refuse)
    assert reread(loop.database) == 1
    _, state = the_task(loop)
    assert (state.state, state.annotation_id) == ("rejected", current(loop).id) and current(loop).id != row.id


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)  # SQLite has one writer
def test_a_decision_waits_for_a_version_that_is_being_written(each_loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else it would be about a label that nobody sees any more, and nobody would know."""
    loop = each_loop
    before = save(loop, [_box()])
    insert, said = storing._insert, []

    def decide() -> str:
        with loop.database.write() as session:
            assert before.task_id is not None
            try:
                decisions.decide(session, before.task_id, reviews.ACCEPTED, reviewer="rita", seen=before.id)
            except decisions.DecisionError as error:
                return str(error)
            return "decided"

    with ThreadPoolExecutor(1) as pool:

        def meanwhile(session: Any, outcomes: Any) -> int:
            said.append(pool.submit(decide))
            waits = text("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
                         "AND wait_event_type = 'Lock'")  # fmt: skip
            with loop.database.engine.connect() as other:
                while not said[0].done() and not other.scalar(waits):
                    other.rollback()
            return insert(session, outcomes)

        monkeypatch.setattr(storing, "_insert", meanwhile)
        save(loop, [_box(x=20)], minute=1)
    assert "changed meanwhile" in said[0].result()
