"""The queue's filter in an address: the same list for the same address, and an error for what means nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qsl

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from backend.db.engine import Database
from backend.http import filters
from backend.http.address_values import FilterError
from backend.review import decisions
from backend.review.keyset import END, Cursor
from backend.review.queue import QueueFilter
from backend.review.queue_search import SearchError
from tests.http.visitors import HTML, JSON, an_account, log_in, post
from tests.review.labelled import a_suggestion, a_task


@pytest.mark.parametrize(
    "chosen",
    [
        QueueFilter(),
        QueueFilter("to review", 3, "m@1/0 &?", 7, 'red & "ä" %_', 0.1 + 0.2, sort="age", descending=False, cursor=END),
        QueueFilter(project_id=-2, cursor=Cursor(0.1 + 0.2, 4)),
        QueueFilter(search="a b", below=1.0),
        QueueFilter(sort="annotator", cursor=Cursor(None, 4, backwards=True)),
        QueueFilter(sort="age", cursor=Cursor(datetime(2026, 1, 31, 10, 0, 0, 7, tzinfo=UTC), 4)),
    ],
)
def test_a_filter_survives_its_address(chosen: QueueFilter) -> None:
    assert filters.read(MultiDict(filters.query(chosen))) == chosen


def test_empty_choices_are_none() -> None:
    """As a form sends them without scripts."""
    names = ("state", "project", "version", "annotator", "search", "below", "sort", "order", "after", "before")
    assert filters.read(MultiDict(dict.fromkeys(names, ""))) == QueueFilter()


BAD = {
    "state=nonsense": 'state="nonsense". It is one of: to review,',
    "project=abc": "It is a whole number.",
    "project=-": "It is a whole number.",
    "project=9223372036854775808": "It is a whole number.",
    "annotator=-1": "It is a whole number.",
    "annotator=99999999999999999999": "It is a whole number.",
    "annotator=%D9%A1": "It is a whole number.",
    "sort=evil": "It is one of: uncertainty,",
    "order=sideways": "It is one of: up.",
    "version=%00": "characters that are never stored",
    "below=0": "a number above 0",
    "below=1.01": "a number above 0",
    "below=nan": "a number above 0",
    "below=0,2": "such as 0.2",
    "below=%D9%A1": "such as 0.2",
    "search=" + "x" * 201: "Shorten it to 200.",
    "search=a+b+c+d+e+f+g+h+i": "at most 8",
    "after=0.5": "no place in a list by uncertainty",
    "after=0.5~1&sort=age": "no place in a list by age",
    "after=end": "no place in a list",
    "before=x~5": "no place in a list",
    "after=0.5~1&before=end": 'says "after" too',
    "state=failed&state=waiting": "stands there twice",
}


@pytest.mark.parametrize("query", BAD)
def test_a_value_that_means_nothing_is_an_error(query: str) -> None:
    asked = MultiDict[str, str]()
    for name, value in parse_qsl(query):
        asked.add(name, value)
    with pytest.raises((FilterError, SearchError)) as raised:
        filters.read(asked)
    assert BAD[query] in str(raised.value)


@pytest.fixture
def task(web: FlaskClient, sqlite_database: Database) -> int:
    an_account(sqlite_database, "rita", "reviewer")
    log_in(web, "rita")
    with sqlite_database.write() as session:
        found = a_task(session, 11)
        a_suggestion(session, found)
        a_task(session, 12, query="A blue Car", name="Street.mp4")
        return found.id


@pytest.mark.parametrize("path", ["/review/", "/review/tasks/1", "/review/work", "/review/bulk"])
def test_the_error_is_a_page_or_json(web: FlaskClient, task: int, path: str) -> None:
    shown = web.get(f"{path}?state=<b>", headers=HTML)
    assert shown.status_code == 400 and "&lt;b&gt;" in shown.text and "<b>" not in shown.text
    assert "Back to the queue" in shown.text
    told = web.get(f"{path}?below=x", headers=JSON)
    assert told.status_code == 400 and told.json == {
        "error": 'The address says below="x". It is a number above 0 and up to 1, such as 0.2.'
    }


def test_a_place_that_is_gone_is_no_error(web: FlaskClient, task: int) -> None:
    """Rows come and go: what lies behind the place is shown."""
    assert web.get("/review/?before=-~99999", headers=HTML).status_code == 200


def test_the_search_is_on_the_page_and_in_its_links(web: FlaskClient, task: int) -> None:
    text = web.get("/review/?search=street+CAR&sort=age", headers=HTML).text
    assert "A blue Car" in text and "the red box moves" not in text
    assert 'value="street CAR"' in text
    assert "/review/?state=waiting&amp;search=street+CAR&amp;sort=age" in text
    assert "/review/tasks/2?search=street+CAR&amp;sort=age" in text
    none = web.get('/review/?search="<i>', headers=HTML).text
    assert "has all of these words" in none and "&#34;&lt;i&gt;" in none and "<i>" not in none


def test_below_leaves_out_what_is_more_uncertain_or_unknown(web: FlaskClient, task: int) -> None:
    assert "the red box moves" in web.get("/review/?below=0.41", headers=HTML).text
    text = web.get("/review/?below=0.4", headers=HTML).text
    assert "the red box moves" not in text and "A blue Car" not in text


def test_a_decision_under_an_address_that_means_nothing_is_not_stored(
    web: FlaskClient, task: int, sqlite_database: Database
) -> None:
    assert post(web, f"/review/tasks/{task}/decision?sort=x", decision="accepted", seen="").status_code == 400
    with sqlite_database.read() as session:
        assert not decisions.history(session, task)
