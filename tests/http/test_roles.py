"""Every page endpoint: who may open it, what a form needs, and what the browser is told about it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.db.accounts import ROLES
from backend.db.engine import Database
from backend.http import pages, people
from backend.http.app import create_app
from tests.http.conftest import API_TOKEN, BASIC, MODEL, WEBHOOK_TOKEN, make_settings
from tests.http.visitors import HTML, JSON, PASSWORD, an_account, log_in, post

PROTOCOL = {"health.health", "health.index", "health.versions", "predict.setup", "predict.predict", "webhook.webhook"}
PROTOCOL |= {"metrics.metrics", "health.ready", "openapi.openapi"}


def _page_routes(app: Flask) -> Iterator[tuple[str, str, str]]:
    """(endpoint, method, a path with numbers that lead nowhere) of all that need somebody to be logged in."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint not in PROTOCOL | pages.OPEN:
            with app.test_request_context():
                path = app.url_for(rule.endpoint, **dict.fromkeys(rule.arguments, 999999))
            for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
                yield rule.endpoint, method, path


def test_every_endpoint_is_of_the_protocol_or_a_page_that_names_a_role(web: FlaskClient) -> None:
    app = web.application
    endpoints = {endpoint for endpoint, _, _ in _page_routes(app)}
    assert {"export.page", "export.send", "audit.page", "audit.download"} <= endpoints
    assert not [endpoint for endpoint in endpoints if people.required_role(app, endpoint) not in ROLES]
    assert all(endpoint.partition(".")[0] in pages.BLUEPRINTS for endpoint in endpoints)


def test_the_roles_are_as_documented(web: FlaskClient) -> None:
    app = web.application
    for endpoint, method, path in _page_routes(app):
        role = people.required_role(app, endpoint)
        if path.startswith("/review/audit"):
            assert role == "admin", endpoint
        elif path.endswith(("/decision", "/undo")) or path.startswith(
            ("/review/work", "/review/dashboard", "/review/export", "/review/bulk")
        ):
            assert role == "reviewer", endpoint
        elif method == "GET":
            assert role == "annotator", endpoint


@pytest.mark.parametrize("role", ROLES)
def test_a_role_opens_what_it_includes_and_nothing_else(web: FlaskClient, sqlite_database: Database, role: str) -> None:
    app = web.application
    an_account(sqlite_database, "x", role)
    log_in(web, "x")
    for endpoint, method, path in _page_routes(app):
        needed = people.required_role(app, endpoint)
        assert needed is not None
        allowed = ROLES.index(role) >= ROLES.index(needed)
        response = post(web, path) if method == "POST" else web.open(path, method=method, headers=HTML)
        assert (response.status_code != 403) == allowed, (endpoint, method, response.status_code)
        if not allowed:
            assert f"&#34;{needed}&#34;" in response.text and response.mimetype == "text/html"
            told = web.open(path, method=method, headers=JSON)
            assert told.status_code == 403 and "error" in told.json


def test_strangers_get_nothing_but_the_log_in_page(web: FlaskClient) -> None:
    """Nor do programs: their credentials are for the protocol."""
    for endpoint, method, path in _page_routes(web.application):
        for token in (API_TOKEN, WEBHOOK_TOKEN):
            response = web.open(path, method=method, headers={**HTML, "X-STVG-Token": token}, auth=BASIC)
            assert response.status_code == 303 and response.location.startswith("/login"), endpoint
        assert web.open(path, method=method, headers=JSON, auth=BASIC).status_code == 401


def test_a_session_opens_no_protocol_route(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    for path in ("/metrics", "/versions", "/nowhere"):
        assert web.get(path, headers=HTML).status_code == 401
    assert web.get("/", headers=JSON).status_code == 401
    assert web.post("/predict", json={}).status_code == 401


def test_a_page_that_names_no_role_is_closed_to_everybody(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    web.application.view_functions["audit.page"] = lambda: "open"
    response = web.get("/review/audit", headers=HTML)
    assert response.status_code == 403 and "Nobody may open" in response.text


def test_a_form_without_its_token_changes_nothing(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    with web.session_transaction() as session:
        mine = session["csrf"]
    wrong = ({}, {"csrf_token": ""}, {"csrf_token": "x" * 43}, {"csrf_token": mine[:-1]}, {"csrf_token": "é"})
    for _, method, path in _page_routes(web.application):
        if method != "GET":
            for data in wrong:
                response = web.open(path, method=method, data=data, headers=HTML)
                assert response.status_code == 403 and "load the page again" in response.text
            told = web.open(path, method=method, headers={**JSON, "X-CSRF-Token": "wrong"})
            assert told.status_code == 403 and "error" in told.json
    assert web.post("/logout", headers=HTML).status_code == 403
    assert web.get("/review/export", headers=HTML).status_code == 200, "still logged in"
    assert web.post("/logout", headers={"X-CSRF-Token": mine}).status_code == 303


def test_a_log_in_form_needs_its_token_too(web: FlaskClient, sqlite_database: Database) -> None:
    """Else another site could log somebody in as somebody else."""
    an_account(sqlite_database)
    response = web.post("/login", data={"name": "ann", "password": PASSWORD}, headers=HTML)
    assert response.status_code == 403 and web.get("/review/export", headers=HTML).status_code == 303


def test_the_protocol_needs_no_token(web: FlaskClient) -> None:
    assert web.post("/setup", json={}, auth=BASIC).status_code == 400


def test_headers_keep_other_sites_out(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    for path in ("/login", "/review/export", "/review/audit", "/review/nowhere", "/static/style.css"):
        response = web.get(path, headers=HTML)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert response.headers["X-Frame-Options"] == "DENY"
        assert response.headers["Referrer-Policy"] == "same-origin"
    for path in ("/review/export", "/review/audit"):
        assert web.get(path, headers=HTML).headers["Cache-Control"] == "no-store"


def test_no_page_needs_an_inline_script_or_style(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    for path in ("/login", "/review/", "/review/export", "/review/audit", "/review/nowhere"):
        page = web.get(path, headers=HTML).text
        assert "<style" not in page and " style=" not in page and "<script>" not in page and " onclick=" not in page


def test_errors_are_pages_for_people_and_json_for_programs(
    web: FlaskClient, sqlite_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    an_account(sqlite_database)
    log_in(web)
    page = web.get("/review/nowhere", headers=HTML)
    assert page.status_code == 404 and page.mimetype == "text/html" and "no such address" in page.text
    said = web.get("/review/nowhere", headers=JSON).json
    assert said == {"error": "There is no such address here. It may be mistyped, or what was there is gone."}
    assert web.get("/logout", headers=HTML).status_code == 405
    assert web.get("/nowhere", headers=HTML, auth=BASIC).mimetype == "application/json"

    def broken(*_: object) -> None:
        raise ZeroDivisionError("inner detail")

    monkeypatch.setattr("backend.http.audit_page.audits.newest", broken)
    page = web.get("/review/audit", headers=HTML)
    assert page.status_code == 500 and "inner detail" not in page.text and page.mimetype == "text/html"


def test_a_database_that_is_away_is_told_on_the_page(web: FlaskClient, sqlite_database: Database) -> None:
    away = create_app(
        make_settings(), database=Database("postgresql+psycopg://u:hush@127.0.0.1:1/none"), model_version=MODEL
    ).test_client()
    an_account(sqlite_database)
    log_in(web)
    cookie = web.get_cookie("stvg_session")
    assert cookie is not None
    away.set_cookie("stvg_session", cookie.value)
    for path in ("/login", "/review/export"):
        page = away.get(path, headers=HTML)
        assert page.status_code == 503 and "database does not answer" in page.text and "hush" not in page.text


def test_the_first_page_of_the_service_leads_to_the_pages(web: FlaskClient, sqlite_database: Database) -> None:
    an_account(sqlite_database)
    log_in(web)
    page = web.get("/", headers=HTML, follow_redirects=True)
    assert page.status_code == 200 and page.request.path == "/review/"
    assert web.get("/static/style.css").mimetype == "text/css"


def test_review_without_its_slash_is_found(web: FlaskClient) -> None:
    assert web.get("/review", headers=HTML).status_code in (301, 308)
