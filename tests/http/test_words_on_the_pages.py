"""What the queue and the page of a task say: the demo model's notice, frames from 1, sub-queries in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from backend.db import jobs, predictions
from backend.db.engine import Database
from backend.db.tables import Job, Prediction, Task
from backend.http.app import create_app
from stvg_core.demo import MODEL_DIR
from stvg_core.notice import DEMO_NOTICE
from stvg_core.version import model_version
from tests.db.helpers import becomes
from tests.http.conftest import MODEL, make_settings
from tests.http.visitors import HTML, an_account, log_in
from tests.review.labelled import a_correction, a_job, a_suggestion, a_task

DEMO = model_version(MODEL_DIR)


@pytest.fixture
def web(sqlite_database: Database) -> Iterator[FlaskClient]:
    """The service itself runs with another model: what counts is whose suggestion it is."""
    an_account(sqlite_database, "rita", "reviewer")
    with create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client() as caller:
        log_in(caller, "rita")
        yield caller


def page(web: FlaskClient, path: str) -> str:
    response = web.get(path, headers=HTML)
    assert response.status_code == 200, response.text
    return " ".join(response.text.split())


def suggested(session: Session, number: int, version: str) -> Prediction:
    """The answer of a job of that version."""
    row = a_suggestion(session, a_task(session, number, query=f"the red box {number}"), model_version=version)
    becomes(session, job_of(session, row), model_version=version)
    return row


def suggested_again(session: Session, task: Task, version: str) -> Prediction:
    """A later answer to the same task, by another model."""
    first = predictions.newest(session, task.id)
    assert first is not None
    kept = {column.name: getattr(first, column.name) for column in Prediction.__table__.columns}
    for name in ("id", "identity", "created_at"):
        kept.pop(name)
    row = predictions.store(session, f"{first.identity}-again", **{**kept, "model_version": version})
    job, _ = jobs.enqueue(
        session, identity="again", task_id=task.id, video_ref=task.video_ref, query=task.query, model_version=version
    )
    becomes(session, job, state="done", prediction_id=row.id)
    return row


def job_of(session: Session, row: Prediction) -> Job:
    return session.scalars(select(Job).where(Job.prediction_id == row.id)).one()


def task_of(session: Session, row: Prediction) -> int:
    return job_of(session, row).task_id


def test_the_demo_models_suggestions_say_so_and_others_do_not(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        real = task_of(session, suggested(session, 11, "llava-hf--llava-onevision-qwen2-7b-ov-hf@main/1"))
        a_job(session, a_task(session, 13), model_version=DEMO)  # asked, not answered
    assert "demo model" not in page(web, "/review/") and "demo model" not in page(web, f"/review/tasks/{real}")
    with sqlite_database.write() as session:
        demo = task_of(session, suggested(session, 12, DEMO))
    queue = page(web, "/review/")
    assert f"1 of the suggestions on this page is of the {DEMO_NOTICE}." in queue
    assert queue.count(">demo model</strong>") == 1
    assert f"The suggestion is of the {DEMO_NOTICE}." in page(web, f"/review/tasks/{demo}")
    assert "demo model" not in page(web, f"/review/tasks/{real}")


def test_a_correction_of_a_demo_suggestion_says_whose_it_was(web: FlaskClient, sqlite_database: Database) -> None:
    """Also when a real model has answered since: the page shows the suggestion that the correction came from."""
    with sqlite_database.write() as session:
        row = suggested(session, 11, DEMO)
        task = session.get_one(Task, task_of(session, row))
        a_correction(session, task, row)
        suggested_again(session, task, "real@1/2")
        number = task.id
    assert DEMO_NOTICE in page(web, f"/review/tasks/{number}")


def test_frames_are_counted_from_1_and_the_page_says_it_once(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        number = task_of(session, suggested(session, 11, "m@1/0"))
    text = page(web, f"/review/tasks/{number}")
    assert "<dt>Frames</dt><dd>11 to 41</dd>" in text, "10 to 40 inside"
    assert text.count("Frames are counted from 1, as in Label Studio") == 1


@pytest.mark.parametrize(
    ("split", "said"), [(True, "split into what the object is and what it does"), (False, "could not be split")]
)
def test_sub_queries_are_shown_as_such(web: FlaskClient, sqlite_database: Database, split: bool, said: str) -> None:
    with sqlite_database.write() as session:
        task = a_task(session, 11)
        question = "Is there the green triangle grows in this video?"
        info = {"split": split, "spatial_question": "Is there it?", "temporal_question": question}
        a_suggestion(
            session, task, attribute_query="the green triangle", action_query="the green triangle grows",
            evidence_info=info,
        )  # fmt: skip
        number = task.id
    text = page(web, f"/review/tasks/{number}")
    assert said in text
    assert "<dt>Which object</dt><dd>the green triangle</dd>" in text
    assert "<dt>What it does</dt><dd>the green triangle grows</dd>" in text
    folded = re.search(r"<details><summary>Asked of the model, word for word</summary>(.*?)</details>", text)
    assert folded is not None and question in folded[1] and text.count(question) == 1


def test_what_re_attention_did_is_shown(web: FlaskClient, sqlite_database: Database) -> None:
    """Nothing is said of a suggestion that learnt nothing."""
    learnt = {
        "yes_minus_no": [4.8, -1.0], "yes_minus_no_after": [5.25, -1.0], "v_share": [0.5, 0.0],
        "yes_minus_no_reversed": [2.0], "yes_minus_no_after_reversed": [2.5], "v_share_reversed": [1.0],
    }  # fmt: skip
    numbers = []
    with sqlite_database.write() as session:
        for name, info in (
            (11, learnt),
            (12, {"yes_minus_no": [4.8, -1.0]}),
            (13, learnt | {"v_share": [None, 1.0], "yes_minus_no_reversed": []}),
        ):
            task = a_task(session, name)
            a_suggestion(session, task, evidence_info=info)
            numbers.append(task.id)
    folded = re.search(
        r"<details><summary>Re-attention</summary>(.*?)</details>", page(web, f"/review/tasks/{numbers[0]}"), re.DOTALL
    )
    assert folded is not None
    rows = [re.sub(r"<[^>]+>|&rarr;", " ", row).split() for row in folded[1].split("<dt>")[1:]]
    assert [" ".join(row) for row in rows] == [
        "Which object 4.80 5.25 (50 % of the step)",
        "What it does -1.00 -1.00 (nothing helped, so nothing was used)",
        "Which object, reversed video 2.00 2.50",
    ]
    assert "Re-attention" not in page(web, f"/review/tasks/{numbers[1]}")
    assert "nothing helped" not in page(web, f"/review/tasks/{numbers[2]}"), "a branch that learns nothing is left out"


def test_what_is_to_be_known_of_the_look_is_shown(web: FlaskClient, sqlite_database: Database) -> None:
    numbers = []
    with sqlite_database.write() as session:
        for name, info in ((11, {"no_candidate_moves": 24, "slots_after_out_of_memory": 10}), (12, {"split": True})):
            task = a_task(session, name)
            a_suggestion(session, task, evidence_info=info)
            numbers.append(task.id)
    text = page(web, f"/review/tasks/{numbers[0]}")
    assert "None of the 24 candidates moves" in text and "only 10 frames were looked at" in text
    assert "data-look>" not in page(web, f"/review/tasks/{numbers[1]}")
