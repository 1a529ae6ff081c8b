"""The dashboard's page: its filters in the address, its names, what it draws, and who may open it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import MultiDict

from backend.db.engine import Database
from backend.http.address_values import FilterError
from backend.http.dashboard import read
from backend.review import decisions
from backend.review.dashboard import Chosen
from tests.http.visitors import HTML, an_account, log_in
from tests.review.labelled import a_correction, a_suggestion, a_task

PATH = "/review/dashboard"


@pytest.fixture
def reviewer(web: FlaskClient, sqlite_database: Database) -> FlaskClient:
    """Rita, annotator 3 in Label Studio; a label of hers came back, one of annotator 4 waits."""
    an_account(sqlite_database, "rita", "reviewer", ls_user_id=3)
    at = datetime(2026, 3, 2, tzinfo=UTC)
    with sqlite_database.write() as session:
        first, second = a_task(session, 1), a_task(session, 2)
        row = a_correction(session, first, a_suggestion(session, first), who=3, ls_updated_at=at)
        version = "<b>v</b>@1"
        prediction = a_suggestion(session, second, model_version=version)
        a_correction(session, second, prediction, who=4, lead_time_s=90, ls_updated_at=at)
        decisions.decide(session, first.id, "rejected", reason="wrong object", reviewer="rita", seen=row.id)
    log_in(web, "rita")
    return web


def page(web: FlaskClient, query: str = "", status: int = 200) -> str:
    response = web.get(f"{PATH}{query}", headers=HTML)
    assert response.status_code == status, response.text
    return " ".join(response.text.split())


def figures(text: str) -> dict[str, str]:
    return dict(re.findall(r'<dt>([^<]+)</dt><dd class="number">([^<]*)</dd>', text))


def test_nothing_yet(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database, "rita", "reviewer")
    log_in(web, "rita")
    text = page(web)
    assert figures(text)["Labels done"] == "0" and figures(text)["Agreement"] == "–" and "Nothing on these days" in text


def test_what_it_shows(reviewer: FlaskClient) -> None:
    text = page(reviewer, "?to=2026-03-31")
    found = figures(text)
    assert found["Labels done"] == "2" and found["Wait for reviewers"] == "1" and found["Came back"] == "0"
    assert found["Minutes per label"] == "0.8", "between 12 and 90 seconds"
    assert "1 wrong object" in page(reviewer) and figures(page(reviewer))["Came back"] == "1"
    assert " style=" not in text and "<script>" not in text and text.count('<svg class="days"') == 5
    assert (
        "<title>2026-03-02: 2</title>" in text and '<th scope="row" role="rowheader" class="nowrap">2026-03-02' in text
    )


def test_people_have_names_and_others_their_numbers(reviewer: FlaskClient) -> None:
    text = page(reviewer)
    assert f'<a href="{PATH}?annotator=3">rita</a>' in text and f'<a href="{PATH}?annotator=4">4</a>' in text
    assert '<option value="3">rita</option>' in text and '<option value="4">4</option>' in text


def test_the_filter_is_the_address(reviewer: FlaskClient) -> None:
    text = page(reviewer, "?annotator=4&from=2026-03-01&project=1")
    assert (
        figures(text)["Labels done"] == "1" and '<option value="4" selected>' in text and 'value="2026-03-01"' in text
    )
    assert "from=2026-03-01&amp;annotator=4" in text, "a group's link keeps the rest of the filter"
    text = page(reviewer, f"?version={quote('<i>no</i>')}")
    assert figures(text)["Labels done"] == "0" and "<i>no" not in text and "<option selected>&lt;i&gt;no" in text
    assert figures(page(reviewer, "?project=&annotator=&version=&from=&to="))["Labels done"] == "2"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("project=abc", 'project="abc". It is a whole number.'),
        ("project=--1", 'project="--1". It is a whole number.'),
        ("project=77", 'project="77". There is no such project here.'),
        ("annotator=-1", 'annotator="-1". It is a whole number.'),
        ("annotator=" + "9" * 30, "It is a whole number."),
        ("from=yesterday", 'from="yesterday". It is a day, such as 2026-01-31.'),
        ("from=2026-02-30", 'from="2026-02-30". It is a day'),
        ("to=20260131", 'to="20260131". It is a day'),
        ("from=2026-02-02&to=2026-02-01", "The last day is before the first."),
        ("version=%00", "characters that are never stored"),
        ("project=1&project=2", "stands there twice"),
        ("version=" + "v" * 256, "It has 256 characters"),
    ],
)
def test_a_value_that_cannot_be_read_is_named(reviewer: FlaskClient, query: str, said: str) -> None:
    text = page(reviewer, f"?{query}", 400)
    assert said in text.replace("&#34;", '"') and 'role="alert"' in text and not figures(text)
    field, _, value = query.partition("=")
    if field == "annotator":
        assert f'value="{value}" selected' in text, "what was asked for is still in the form"


def test_the_widest_days_can_be_asked_for(reviewer: FlaskClient) -> None:
    assert figures(page(reviewer, "?from=0001-01-01&to=9999-12-31"))["Labels done"] == "2"


def test_a_local_project_has_a_negative_number() -> None:
    assert read(MultiDict({"project": "-3"})) == Chosen(project_id=-3) and read(MultiDict()) == Chosen()
    with pytest.raises(FilterError, match="a whole number"):
        read(MultiDict({"project": "-"}))


def test_annotators_do_not_see_it(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database, "anna", "annotator")
    log_in(web, "anna")
    assert web.get(PATH, headers=HTML).status_code == 403
    assert PATH not in web.get("/review/", headers=HTML).text
