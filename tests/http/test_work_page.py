"""The page of the work: what it shows, who may open it, and the button that tries again."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask.testing import FlaskClient

from backend.db import audits
from backend.db.engine import Database
from backend.db.tables import Job
from backend.db.types import now
from backend.http import work
from backend.http.wording import duration
from tests.http.visitors import HTML, an_account, log_in, post
from tests.review.labelled import a_job, a_task


@pytest.fixture
def reviewer(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    an_account(sqlite_database, "rita", "reviewer")
    log_in(web, "rita")
    return web


@pytest.fixture
def failed(sqlite_database: Database) -> list[int]:
    """Three jobs that failed alike, and one that did not."""
    with sqlite_database.write() as session:
        reasons = ("a.mp4 is empty", "b.mp4 is empty", "It is <b>no</b> video", "c.mp4 is empty")
        rows = [
            a_job(session, a_task(session, number), state="failed", reason=reason)
            for number, reason in enumerate(reasons, 1)
        ]
        return [row.id for row in rows]


def page(web: FlaskClient, path: str = "/review/work") -> str:
    response = web.get(path, headers=HTML)
    assert response.status_code == 200, response.text
    return response.text


def states(database: Database, numbers: list[int]) -> list[str]:
    with database.read() as session:
        return [session.get_one(Job, number).state for number in numbers]


def test_nothing_to_do_yet(reviewer: FlaskClient) -> None:
    text = page(reviewer)
    assert "nothing waits" in text and "No job has failed." in text and "No job is running." in text


def test_what_it_shows(reviewer: FlaskClient, sqlite_database: Database, failed: list[int]) -> None:
    at = now()
    with sqlite_database.write() as session:
        for number in range(20, 26):
            a_job(session, a_task(session, number), state="done", finished_at=at)
        a_job(session, a_task(session, 30))
        values = {"leased_by": "host:7#1", "lease_until": at + timedelta(hours=1), "started_at": at}
        a_job(session, a_task(session, 31), state="running", stage="attention", progress=0.5, **values)
    text = page(reviewer)
    assert "6 done, 1.2 a minute" in text and "2 min at this rate" in text
    assert "attention" in text and "host:7" in text and "progress .50" in text
    assert "It is &lt;b&gt;no&lt;/b&gt; video" in text and "<b>no</b>" not in text and " style=" not in text
    assert len(re.findall(r"/review/work/jobs/\d+/retry", text)) == 2
    assert "No job has failed." in page(reviewer, "/review/work?version=another")
    for damaged, said in (("project=abc", "whole number"), ("version=%00", "never stored")):
        answer = reviewer.get(f"/review/work?{damaged}")
        assert answer.status_code == 400 and said in answer.text


def test_trying_again_takes_those_that_failed_alike(
    reviewer: FlaskClient, sqlite_database: Database, failed: list[int]
) -> None:
    response = post(reviewer, f"/review/work/jobs/{failed[-1]}/retry?project=1")
    assert (response.status_code, response.location) == (303, "/review/work?project=1")
    assert "3 queued again." in page(reviewer)
    assert states(sqlite_database, failed) == ["queued", "queued", "failed", "queued"]
    with sqlite_database.read() as session:
        act = audits.newest(session, 1)[0]
    assert (act.who, act.action, act.target, act.detail) == ("rita", "retry jobs", f"job {failed[-1]}", {"jobs": 3})
    post(reviewer, f"/review/work/jobs/{failed[-1]}/retry")
    assert "nothing to try again" in page(reviewer)
    assert post(reviewer, f"/review/work/jobs/{2**40}/retry").status_code == 303


def test_many_are_taken_in_portions(
    reviewer: FlaskClient, sqlite_database: Database, failed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "AT_ONCE", 2)
    post(reviewer, f"/review/work/jobs/{failed[-1]}/retry")
    assert "2 queued again. More failed for this reason" in page(reviewer)
    assert states(sqlite_database, failed) == ["queued", "queued", "failed", "failed"]
    post(reviewer, f"/review/work/jobs/{failed[-1]}/retry")
    assert states(sqlite_database, failed) == ["queued", "queued", "failed", "queued"]


def test_annotators_do_not_see_it(web: FlaskClient, sqlite_database: Database, failed: list[int]) -> None:
    an_account(sqlite_database, "anna", "annotator")
    log_in(web, "anna")
    assert web.get("/review/work", headers=HTML).status_code == 403
    assert post(web, f"/review/work/jobs/{failed[0]}/retry").status_code == 403
    assert "/review/work" not in page(web, "/review/")
    assert states(sqlite_database, failed[:1]) == ["failed"]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (3660, "1 h 1 min"),
        (90061, "1 d 1 h"),
        (86460, "1 d 1 min"),
    ],
)
def test_long_times_read_well(seconds: float, said: str) -> None:
    assert duration(seconds) == said
