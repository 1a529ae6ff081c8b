"""Decisions of a reviewer on the page of a task, as a browser sends them."""

from __future__ import annotations

from pathlib import Path

from flask.testing import FlaskClient

from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Task
from backend.review import decisions
from tests.http.review.seen import page, seen_on
from tests.http.visitors import an_account, log_in, post
from tests.review.labelled import a_correction, a_suggestion, a_task


def test_accept_goes_on_to_the_next(web: FlaskClient, sqlite_database: Database, labelled: int, clip: Path) -> None:
    with sqlite_database.write() as session:
        other = a_task(session, 12, query="the second")
        a_suggestion(session, other, file=clip)
        following = other.id
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    response = post(web, f"/review/tasks/{labelled}/decision?sort=age", decision="accepted", seen=seen)
    assert (response.status_code, response.location) == (303, f"/review/tasks/{following}?sort=age")
    text = page(web, response.location)
    assert "Task 11" in text and f'action="/review/tasks/{labelled}/undo?sort=age"' in text
    with sqlite_database.read() as session:
        (row,) = decisions.history(session, labelled)
        acts = [(act.who, act.action, act.target) for act in audits.newest(session, 10)]
    assert (row.decision, row.reviewer, row.annotation_id) == ("accepted", "rita", int(seen))
    assert ("rita", "accepted", f"task {labelled}") in acts


def test_the_last_one_leads_back_to_the_queue(web: FlaskClient, labelled: int) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    response = post(web, f"/review/tasks/{labelled}/decision?state=to+review", decision="accepted", seen=seen)
    assert response.location == "/review/?state=to+review"
    assert "last one under this filter" in page(web, response.location)


def test_reject_needs_a_reason_and_keeps_the_comment(
    web: FlaskClient, sqlite_database: Database, labelled: int
) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    path = f"/review/tasks/{labelled}/decision"
    refused = post(web, path, decision="sent back", seen=seen, comment="look at <b>the end</b>")
    assert refused.status_code == 400 and "choose a reason" in refused.text
    assert "look at &lt;b&gt;the end&lt;/b&gt;</textarea>" in refused.text
    assert post(web, path, decision="sent back", seen=seen, reason="boxes loose", comment="x").status_code == 303
    assert post(web, path, decision="maybe", seen=seen).status_code == 400
    assert post(web, path, decision="sent to another", seen=seen, reason="wrong object").status_code == 303
    with sqlite_database.read() as session:
        assert [(row.decision, row.reason) for row in decisions.history(session, labelled)] == [
            ("sent back", "boxes loose"),
            ("sent to another", "wrong object"),
        ]


def test_a_label_that_changed_meanwhile(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    with sqlite_database.write() as session:
        task = session.get_one(Task, labelled)
        newer = a_correction(session, task, None, who=5).id
    fields = {"decision": "rejected", "seen": seen, "reason": "object absent", "comment": "a long thought"}
    refused = post(web, f"/review/tasks/{labelled}/decision", **fields)
    assert refused.status_code == 409 and "changed meanwhile" in refused.text
    assert (
        "a long thought</textarea>" in refused.text and 'value="object absent" data-number="4" checked' in refused.text
    )
    assert seen_on(refused.text) == str(newer), "the page now shows the new version, and can be decided about"
    with sqlite_database.read() as session:
        assert not decisions.history(session, labelled)


def test_undo(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    nothing = post(web, f"/review/tasks/{labelled}/undo")
    assert nothing.status_code == 400 and "nothing to undo" in nothing.text
    seen = seen_on(page(web, f"/review/tasks/{labelled}"))
    post(web, f"/review/tasks/{labelled}/decision", decision="accepted", seen=seen)
    assert "Undo" in page(web, f"/review/tasks/{labelled}")
    assert post(web, f"/review/tasks/{labelled}/undo").location == f"/review/tasks/{labelled}"
    text = page(web, f"/review/tasks/{labelled}")
    assert "taken back" in text and "/undo" not in text


def test_annotators_see_no_buttons(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    an_account(sqlite_database, "anna", "annotator")
    post(web, "/logout")
    log_in(web, "anna")
    text = page(web, f"/review/tasks/{labelled}")
    assert 'name="decision"' not in text and "Reviewers decide" in text and "/undo" not in text
    assert post(web, f"/review/tasks/{labelled}/decision", decision="accepted", seen="1").status_code == 403
    assert post(web, f"/review/tasks/{labelled}/undo").status_code == 403


def test_deciding_when_nothing_is_there_to_decide(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        number = a_task(session, 11).id
    refused = post(web, f"/review/tasks/{number}/decision", decision="accepted", seen="")
    assert refused.status_code == 400 and "nothing to decide" in refused.text
