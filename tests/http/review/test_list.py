"""The list of tasks, as a browser asks for it."""

from __future__ import annotations

import re

from flask.testing import FlaskClient

from backend.db.engine import Database
from backend.db.tables import Prediction, Project, Task
from backend.review.queue import PAGE
from tests.db import helpers
from tests.db.helpers import CONFIG
from tests.http.review.seen import linked, page, tasks_on
from tests.review.labelled import a_job, a_task
from tests.review.test_compare import another


def test_the_queue_shows_and_filters(web: FlaskClient, sqlite_database: Database, labelled: int) -> None:
    with sqlite_database.write() as session:
        a_job(session, a_task(session, 12, query="the one that fails"), state="failed", reason="It is not a video.")
    everything = page(web, "/review/")
    assert (
        "the red box moves" in everything and "the one that fails" in everything and "It is not a video." in everything
    )
    assert "ends and boxes moved" in everything and "clip.mp4" in everything
    failed = page(web, "/review/?state=failed")
    assert "the red box moves" not in failed and "the one that fails" in failed
    assert f'href="/review/tasks/{labelled}?state=to+review"' in page(web, "/review/?state=to+review")
    assert "Nothing here" in page(web, "/review/?state=skipped")
    assert "No task is under this filter" in page(web, "/review/?annotator=99")


def test_an_empty_queue_says_what_to_do(web: FlaskClient) -> None:
    assert "stvg connect" in page(web, "/review/")


def test_the_pages_of_the_queue_are_linked(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        for number in range(1, 2 * PAGE + 2):
            a_task(session, number)
    first = page(web, "/review/?sort=age&order=up")
    assert f"{PAGE} of {2 * PAGE + 1} tasks" in first and 'rel="prev"' not in first and 'rel="first"' not in first
    last = page(web, linked(first, "last"))
    assert 'rel="next"' not in last and linked(last, "first") == "/review/?sort=age&order=up"
    second = page(web, linked(first, "next"))
    third = page(web, linked(second, "next"))
    assert tasks_on(first) + tasks_on(second) + tasks_on(third) == list(range(2 * PAGE + 1, 0, -1))
    assert tasks_on(page(web, linked(second, "prev"))) == tasks_on(first)
    assert tasks_on(last) == list(range(PAGE, 0, -1))


def test_a_local_project_is_called_by_its_title(web: FlaskClient, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.add(Project(id=-1, title="Street scenes", label_config=CONFIG))
        number = helpers.a_task(session, 1, project=-1).id
    listed = page(web, "/review/?project=-1")
    assert '<option value="-1" selected>Street scenes</option>' in listed and "project Street scenes, task 1" in listed
    text = page(web, f"/review/tasks/{number}?project=-1")
    assert "project Street scenes, task 1" in text and "Label Studio ↗" not in text


def test_how_far_model_versions_agree_is_said_and_orders_the_list(
    web: FlaskClient, labelled: int, sqlite_database: Database
) -> None:
    path = f"/review/tasks/{labelled}"
    assert "data-versions" not in page(web, "/review/") and "data-agree" not in page(web, path)
    with sqlite_database.write() as session:
        task, other = session.get_one(Task, labelled), a_task(session, 12)
        (first,) = session.query(Prediction).all()
        another(session, task, first, "m@2/0")
        another(session, other, first, "m@1/0")
        another(session, other, first, "m@2/0", keyframes=None)
        apart = other.id
    text = page(web, path)
    assert "Two model versions agree: vIoU 1.00." in text
    for order, expected in (("", [apart, labelled]), ("&order=up", [labelled, apart])):
        listed = page(web, f"/review/?sort=versions{order}")
        assert [int(number) for number in re.findall(r'id="task-(\d+)"', listed)][:2] == expected
        assert '<option value="versions" selected>model versions disagree</option>' in listed
        said = re.findall(r"data-versions>([^<]+)<", listed)
        assert sorted(said) == ["model versions agree: vIoU 1.00", "model versions disagree: vIoU .00"]
    with sqlite_database.write() as session:
        another(session, session.get_one(Task, labelled), first, "m@3/0", keyframes=None)
        another(session, session.get_one(Task, labelled), first, "m@4/0")
    text = page(web, path)
    assert "4 model versions agree: vIoU .67, the mean of the newest suggestion with each of the others." in text
