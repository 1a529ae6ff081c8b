"""Decisions reach Label Studio: once, later where it is away, and gone again when they no longer stand."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from backend.db import annotations as versions
from backend.db import deliveries, jobs
from backend.db.tables import Delivery, Task
from backend.db.types import now
from backend.jobs.corrections import read_events
from backend.jobs.delivering import Outbox
from backend.review import decisions
from tests.jobs.conftest import Loop
from tests.jobs.test_corrections import _saved, _send


def teller(loop: Loop) -> Outbox:
    return loop.outbox


def ready(loop: Loop) -> int:
    """A task with a suggestion, in Label Studio and here; our row."""
    loop.ask(loop.task(1, note={"kept": [1, "ü"]}))
    assert loop.worker.drain() == 1 and loop.outbox.send_due() == 1
    with loop.database.read() as session:
        return session.scalars(select(Task.id)).one()


def decide(loop: Loop, task_id: int, decision: str = "sent back", comment: str = "", seen: int | None = None) -> None:
    with loop.database.write() as session:
        reason = None if decision == "accepted" else "wrong start or end"
        decisions.decide(session, task_id, decision, reason=reason, comment=comment, reviewer="ann", seen=seen)


def undo(loop: Loop, task_id: int) -> None:
    with loop.database.write() as session:
        decisions.undo(session, task_id, reviewer="bob")


def data(loop: Loop) -> dict[str, Any]:
    found: dict[str, Any] = loop.label_studio.tasks[1]["data"]
    return found


def told(loop: Loop) -> Delivery | None:
    """How far the telling is, None where there is nothing to tell."""
    with loop.database.read() as session:
        return session.scalars(select(Delivery).where(Delivery.kind == deliveries.DECISION)).one_or_none()


def row(loop: Loop) -> Delivery:
    found = told(loop)
    assert found is not None
    return found


def make_due(loop: Loop) -> None:
    with loop.database.write() as session:
        past = now() - timedelta(seconds=1)
        session.execute(update(Delivery).where(Delivery.run_after.is_not(None)).values(run_after=past))
        session.execute(update(Delivery).where(Delivery.lease_until.is_not(None)).values(lease_until=past))


def patches(loop: Loop) -> int:
    return loop.label_studio.requests.count("PATCH /api/tasks/1/")


@pytest.mark.parametrize(
    ("decision", "comment", "said"),
    [
        ("sent back", "starts later", "wrong start or end: starts later; by ann"),
        ("rejected", "", "wrong start or end; by ann"),
    ],
)
def test_a_decision_is_told_once_and_all_other_data_are_kept(
    each_loop: Loop, decision: str, comment: str, said: str
) -> None:
    loop = each_loop
    task_id = ready(loop)
    before = dict(data(loop))
    decide(loop, task_id, decision, comment)
    assert teller(loop).send_due() == 1 and teller(loop).send_due() == 0
    assert data(loop) == before | {"review": decision, "review_comment": said}
    assert (row(loop).state, row(loop).attempts, patches(loop)) == ("delivered", 1, 1)


@pytest.mark.parametrize(
    ("decision", "whom", "comment"),
    [
        ("rejected", None, "wrong start or end; by ann"),
        ("sent back", "annotator 7", "wrong start or end; by ann"),
        (
            "sent to another", "somebody else than annotator 7",
            "wrong start or end; for somebody else than annotator 7; by ann",
        ),
    ],
)  # fmt: skip
def test_who_should_mend_a_label_is_told_and_cleared(
    each_loop: Loop, decision: str, whom: str | None, comment: str
) -> None:
    loop = each_loop
    task_id = ready(loop)
    before = dict(data(loop))
    _send(loop, _saved(number=8))
    assert read_events(loop.database) == 1
    with loop.database.write() as session:
        label = versions.present(session, task_id)
        assert label is not None
        label.author_id = 7
        session.flush()
        seen = label.id
    decide(loop, task_id, decision, seen=seen)
    assert teller(loop).send_due() == 1
    state = "rejected" if decision == "rejected" else "sent back"
    told_of = {} if whom is None else {"review_for": whom}
    assert data(loop) == before | {"review": state, "review_comment": comment} | told_of
    undo(loop, task_id)
    assert teller(loop).send_due() == 1 and data(loop) == before


def test_a_suggestion_that_nobody_made_is_for_somebody_else(each_loop: Loop) -> None:
    task_id = ready(each_loop)
    decide(each_loop, task_id, "sent to another")
    assert teller(each_loop).send_due() == 1
    assert (data(each_loop)["review"], data(each_loop)["review_for"]) == ("sent back", "somebody else")


@pytest.mark.parametrize("way", ["accepted", "undone", "annotated", "another suggestion"])
def test_what_no_longer_stands_is_cleared(each_loop: Loop, way: str) -> None:
    loop = each_loop
    task_id = ready(loop)
    before = dict(data(loop))
    decide(loop, task_id)
    teller(loop).send_due()
    assert "review" in data(loop)
    if way == "accepted":
        decide(loop, task_id, "accepted")
    elif way == "undone":
        undo(loop, task_id)
    elif way == "annotated":
        _send(loop, _saved(number=8))
        assert read_events(loop.database) == 1
    else:
        with loop.database.write() as session:
            ref, version = session.get_one(Task, task_id).video_ref, loop.engine.model_version
            jobs.enqueue(session, identity="n", task_id=task_id, video_ref=ref, query="another", model_version=version)
        assert loop.worker.drain() == 1
    assert teller(loop).send_due() == 1
    assert data(loop) == before


def test_an_earlier_decision_that_stands_again_is_shown_again(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id, "sent back", "first")
    decide(loop, task_id, "rejected", "second")
    assert teller(loop).send_due() == 1 and data(loop)["review"] == "rejected", "told is what stands, once"
    undo(loop, task_id)
    assert teller(loop).send_due() == 1
    assert data(loop)["review_comment"] == "wrong start or end: first; by ann"


def test_what_shows_nothing_is_not_told(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id, "accepted")
    undo(loop, task_id)
    _send(loop, _saved(number=8))
    read_events(loop.database)
    loop.label_studio.requests.clear()
    assert teller(loop).send_due() == 0 and loop.label_studio.requests == [] and told(loop) is None


def test_label_studio_away_keeps_it_and_tells_later_once(each_loop: Loop) -> None:
    loop = each_loop
    task_id = ready(loop)
    decide(loop, task_id)
    loop.label_studio.away = True
    for attempt in (1, 2, 3):
        assert teller(loop).send_due() == 0
        assert (row(loop).state, row(loop).attempts) == ("pending", attempt)
        assert "cannot be reached" in str(row(loop).reason)
        due = row(loop).run_after
        assert due is not None and due > now(), "the pauses grow"
        assert teller(loop).send_due() == 0 and row(loop).attempts == attempt
        make_due(loop)
    loop.label_studio.away = False
    assert teller(loop).send_due() == 1 and data(loop)["review"] == "sent back" and patches(loop) == 1
    assert (row(loop).state, row(loop).reason) == ("delivered", None)


def test_the_last_word_is_told_where_label_studio_was_away_for_several(loop: Loop) -> None:
    task_id = ready(loop)
    loop.label_studio.away = True
    decide(loop, task_id)
    teller(loop).send_due()
    undo(loop, task_id)
    loop.label_studio.away = False
    make_due(loop)
    teller(loop).send_due()
    assert "review" not in data(loop) and patches(loop) == 0, "it was never shown, so nothing had to be changed"


def test_a_decision_taken_while_another_is_written_is_not_lost(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = ready(loop)
    decide(loop, task_id)
    real = loop.client.patch_task_data

    def slow(number: int, values: Any) -> Any:
        monkeypatch.setattr(loop.client, "patch_task_data", real)
        undo(loop, task_id)
        return real(number, values)

    monkeypatch.setattr(loop.client, "patch_task_data", slow)
    teller(loop).send_due()
    assert "review" not in data(loop)


def test_a_task_that_is_gone_ends_with_a_reason(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id)
    loop.label_studio.tasks.clear()
    assert teller(loop).send_due() == 0
    assert row(loop).state == "failed" and "nothing at /api/tasks/1/" in str(row(loop).reason)
    make_due(loop)
    assert teller(loop).send_due() == 0 and row(loop).attempts == 1


def test_a_refused_token_waits_for_a_better_one(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id)
    refuse = httpx.MockTransport(lambda request: httpx.Response(401, json={"detail": "Invalid token."}))
    loop.client._api._http._transport = refuse
    assert teller(loop).send_due() == 0
    assert row(loop).state == "pending" and "token" in str(row(loop).reason)


def test_a_claim_that_was_never_ended_runs_out(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id)
    with loop.database.write() as session:
        claimed = deliveries.claim(session, "killed", seconds=600)
        assert claimed is not None
        stale = claimed.leased_by
    assert teller(loop).send_due() == 0
    make_due(loop)
    assert teller(loop).send_due() == 1 and patches(loop) == 1
    with loop.database.write() as session:
        assert not deliveries.delivered(session, claimed.id, str(stale)), "the killed one has no say any more"


def test_a_question_whose_answer_becomes_the_suggestion_clears_a_decision_about_the_old_one(loop: Loop) -> None:
    task_id = ready(loop)
    decide(loop, task_id)
    teller(loop).send_due()
    assert "review" in data(loop)
    with loop.database.write() as session:
        ref, version = session.get_one(Task, task_id).video_ref, loop.engine.model_version
        asked = {"identity": "q", "task_id": task_id, "video_ref": ref, "query": "another", "model_version": version}
        jobs.enqueue(session, **asked, deliver=False)
    assert loop.worker.drain() == 1 and teller(loop).send_due() == 0, "an annotator's own question is no suggestion"
    with loop.database.write() as session:
        jobs.enqueue(session, **asked, deliver=True)
    assert teller(loop).send_due() == 1 and "review" not in data(loop)
