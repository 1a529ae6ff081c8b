"""Is the service up, who is it, and what does it count?"""

from __future__ import annotations

import threading

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Engine

from backend.db import schema
from backend.db.engine import Database
from backend.http import layout
from backend.http.app import create_app
from tests.http.calls import predict
from tests.http.conftest import BASIC, MODEL, make_settings


def test_health_needs_no_password(web: FlaskClient) -> None:
    response = web.get("/health")
    assert response.status_code == 200 and response.json["status"] == "UP"


BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "text/html",
]


PROGRAMS = [None, "*/*", "application/json", "application/json, text/plain, */*", "application/json, text/html;q=0.5"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", BROWSERS)
@pytest.mark.parametrize("auth", [None, ("stvg", "wrong"), BASIC])
def test_a_browser_at_the_services_address_is_led_to_the_review_pages(
    web: FlaskClient, method: str, accept: str, auth: tuple[str, str] | None
) -> None:
    response = web.open("/", method=method, headers={"Accept": accept}, auth=auth)
    assert response.status_code == 302 and response.location == "/review/"
    assert "WWW-Authenticate" not in response.headers and "Accept" in response.headers["Vary"]
    # Nothing about the service is told on the way, and the page there asks who this is.
    assert MODEL not in response.text
    there = web.get(response.location, headers={"Accept": accept})
    assert there.status_code == 303 and there.location.startswith("/login")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", PROGRAMS)
def test_programs_at_the_services_address_read_its_state_with_their_credentials(
    web: FlaskClient, method: str, accept: str | None
) -> None:
    headers = {"Accept": accept} if accept else {}
    stranger = web.open("/", method=method, headers=headers)
    assert stranger.status_code == 401 and stranger.headers["WWW-Authenticate"].startswith("Basic")
    answer = web.open("/", method=method, headers=headers, auth=BASIC)
    assert answer.status_code == 200 and answer.mimetype == "application/json"
    if method == "GET":
        assert answer.json["name"] == "stvg" and answer.json["status"] == "UP"
        assert answer.json["model_version"] == MODEL


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("accept", [*BROWSERS, *PROGRAMS])
def test_health_answers_everybody_alike(web: FlaskClient, method: str, accept: str | None) -> None:
    """Label Studio asks /health before anything else, without naming what it accepts."""
    response = web.open("/health", method=method, headers={"Accept": accept} if accept else {})
    assert response.status_code == 200 and response.mimetype == "application/json"


def test_only_the_services_own_address_leads_a_browser_on(web: FlaskClient) -> None:
    for path in ("/metrics", "/versions", "/nowhere", "//"):
        assert web.get(path, headers={"Accept": BROWSERS[0]}).status_code == 401, path
    assert web.post("/", headers={"Accept": BROWSERS[0]}).status_code == 401


def test_metrics_count_requests_and_what_waits(connected: FlaskClient) -> None:
    predict(connected, 1, 2)
    page = connected.get("/metrics", auth=BASIC).text
    assert 'stvg_jobs{state="queued"} 2.0' in page and 'stvg_requests_total{route="/predict",status="200"} 1.0' in page
    assert "stvg_database_up 1.0" in page


def test_a_second_app_in_one_process_is_no_clash(sqlite_database: Database) -> None:
    first, second = (
        create_app(make_settings(), database=sqlite_database, model_version=MODEL).test_client() for _ in range(2)
    )
    first.get("/health")
    pages = [caller.get("/metrics", auth=BASIC).text for caller in (first, second)]
    assert 'route="/health"' in pages[0] and 'route="/health"' not in pages[1]
    assert all(page.count("# HELP stvg_requests_total") == 1 for page in pages)


@pytest.mark.parametrize("route", ["/health", "/ready"])
def test_a_database_that_hangs_is_said_to_be_away_and_one_thread_waits_for_it(
    web: FlaskClient, monkeypatch: pytest.MonkeyPatch, route: str
) -> None:
    """Its server may be stopped, or its machine gone without a word, with the connections still open."""
    go_on, asked = threading.Event(), list[str]()
    current_revision = schema.current_revision

    def hang(engine: Engine) -> str | None:
        asked.append(threading.current_thread().name)
        assert go_on.wait(600)
        return current_revision(engine)

    monkeypatch.setattr(schema, "current_revision", hang)
    monkeypatch.setattr(layout, "ANSWERS_S", 0.05)
    for _ in range(3):
        answer = web.get(route)
        assert (answer.status_code, answer.json["error"]) == (503, "The database does not answer.")
    assert len(asked) == 1
    go_on.set()
    monkeypatch.setattr(layout, "ANSWERS_S", 600.0)
    assert web.get(route).status_code == 200
