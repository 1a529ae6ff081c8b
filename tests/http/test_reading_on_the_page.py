"""What a reviewer reads of how a label was read from the annotation, and the tube that can be offered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from backend.annotations.wish import Wish
from backend.annotations.wishes import ask_for, of_annotation
from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Annotation, Delivery, Job
from backend.http.app import create_app
from tests.db.helpers import becomes
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import HTML, an_account, log_in, post
from tests.review.labelled import CORRECTED, a_correction, a_suggestion, a_task

WISH = Wish(14, (0.16, 0.25, 0.36, 0.55), offer=True)


@pytest.fixture
def web(sqlite_database: Database, tmp_path: Path) -> Iterator[FlaskClient]:
    an_account(sqlite_database, "rita", "reviewer")
    settings = make_settings(data_dir=tmp_path / "data")
    with create_app(settings, database=sqlite_database, model_version=MODEL).test_client() as caller:
        log_in(caller, "rita")
        yield caller


def entry(name: str = "tube-1", **more: Any) -> dict[str, Any]:
    return {"region_id": name, "label": "Target", "intervals": [[14, 44]], "keyframes": CORRECTED, **more}


def a_label(database: Database, *entries: dict[str, Any]) -> int:
    """A task with a suggestion and a correction of these entries; the task's row."""
    with database.write() as session:
        task = a_task(session, 1)
        row = a_correction(session, task, a_suggestion(session, task), tubes=list(entries))
        ask_for(session, row)
        return task.id


def page(web: FlaskClient, task: int) -> str:
    return web.get(f"/review/tasks/{task}", headers=HTML).text


def test_marks_are_sentences_and_the_queue_points_at_them(web: FlaskClient, sqlite_database: Database) -> None:
    held = {"mark": "held", "frames": [41, 44]}
    task = a_label(sqlite_database, entry(marks=[held, {"mark": "disagree", "frames": [14, 44]}]))
    text = page(web, task)
    assert "End set on the timeline: the last box is held (frames 42 to 45)." in text
    assert "disagree by more than 2 frames: the box counts (frames 15 to 45)." in text
    queue = web.get("/review/", headers=HTML).text
    assert "look at: held, disagree" in queue


def test_a_label_that_was_read_plainly_says_nothing(web: FlaskClient, sqlite_database: Database) -> None:
    task = a_label(sqlite_database, entry())
    text = page(web, task)
    assert "data-mark" not in text and "data-target" not in text and "data-offered" not in text
    assert "look at:" not in web.get("/review/", headers=HTML).text


def test_of_several_targets_the_one_that_counts_is_named(web: FlaskClient, sqlite_database: Database) -> None:
    task = a_label(sqlite_database, entry("second"), entry(target=True), entry("third", label="Other"))
    text = page(web, task)
    assert "2 boxes have this label." in text and "(region tube-1)" in text and "frame 15 to 45" in text


def test_a_followed_box_is_offered_and_sent_when_a_reviewer_wants_it(
    web: FlaskClient, sqlite_database: Database
) -> None:
    task = a_label(sqlite_database, entry(wishes=[WISH.to_json()]))
    assert "is being followed" in page(web, task) and "data-offered" not in page(web, task)
    with sqlite_database.write() as session:
        other = a_suggestion(session, a_task(session, 2, name="other.mp4"))
        row = session.scalars(select(Annotation)).one()
        [wished] = of_annotation(session, row)
        assert wished.job is not None
        job = session.get_one(Job, wished.job.id)
        becomes(session, job, state="done", prediction_id=other.id)
    text = page(web, task)
    assert "data-offered" in text and "is being followed" not in text and "/offer" in text
    evidence = web.get(f"/review/tasks/{task}/evidence.json", headers=HTML).get_json()
    assert [tube["title"] for tube in evidence["tubes"] if tube["kind"] == "offered"] == ["Followed from the drawn box"]
    assert post(web, f"/review/tasks/{task}/offer").status_code == 303
    post(web, f"/review/tasks/{task}/offer")
    with sqlite_database.read() as session:
        [owed] = session.scalars(select(Delivery)).all()
        assert (owed.prediction_id, owed.task_id) == (other.id, task)
        assert "offer" in [row.action for row in audits.newest(session)]


def test_only_reviewers_send_it(web: FlaskClient, sqlite_database: Database) -> None:
    task = a_label(sqlite_database, entry(wishes=[WISH.to_json()]))
    an_account(sqlite_database, "anna", "annotator")
    post(web, "/logout")
    log_in(web, "anna")
    assert post(web, f"/review/tasks/{task}/offer").status_code == 403


def test_a_wish_that_failed_says_why_and_what_to_do(web: FlaskClient, sqlite_database: Database) -> None:
    task = a_label(sqlite_database, entry(wishes=[Wish(44, WISH.box, 45, 50).to_json()]))
    assert "Frames 45 to 50 are being followed; until then the box is held" in page(web, task)
    with sqlite_database.write() as session:
        job = session.scalars(select(Job).where(Job.deliver.is_(False))).one()
        becomes(session, job, state="failed", reason="The video is gone.")
        number = job.id
    assert f"The video is gone. Try again with: stvg jobs retry {number}" in page(web, task)
