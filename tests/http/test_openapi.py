"""The description that the app serves names every route, and says what each takes and wants."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from backend.http import auth, pages
from backend.http.descriptions import OPERATIONS
from backend.http.openapi import describe, missing, routes
from tests.http.conftest import BASIC
from tests.http.visitors import an_account, log_in


@pytest.fixture
def described(web: FlaskClient) -> dict[str, Any]:
    found: dict[str, Any] = web.get("/openapi.json", auth=BASIC).json
    return found


def test_every_route_is_described_and_nothing_else(web: FlaskClient, described: dict[str, Any]) -> None:
    assert missing(web.application) == [], "describe it in backend/http/descriptions.py"
    there = {(rule.endpoint, method) for rule, method in routes(web.application)}
    assert there == set(OPERATIONS), "these are described and are no routes"
    paths = described["paths"]
    assert sum(len(methods) for methods in paths.values()) == len(there)
    names = [operation["operationId"] for methods in paths.values() for operation in methods.values()]
    assert len(set(names)) == len(names)
    assert all(operation["summary"] and operation["responses"] for ops in paths.values() for operation in ops.values())


def test_a_new_route_is_missed(web: FlaskClient) -> None:
    app: Flask = web.application
    app._got_first_request = False
    app.add_url_rule("/new", "health.new", lambda: "", methods=["GET", "DELETE"])
    assert missing(app) == [("health.new", "GET"), ("health.new", "DELETE")]
    assert set(describe(app)["paths"]["/new"]) == {"get", "delete"}


def test_it_is_for_programs_that_may_log_in(web: FlaskClient) -> None:
    assert web.get("/openapi.json").status_code == 401


def test_what_needs_a_log_in_says_so(web: FlaskClient, described: dict[str, Any]) -> None:
    """The description against the app: a route that names no log-in answers without one."""
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            endpoint = operation["operationId"].rpartition(".")[0]
            is_open = not any(operation["security"])
            assert is_open == (endpoint in auth.OPEN or (endpoint in pages.OPEN and method == "get")), path
            response = web.open(path.replace("{filename}", "style.css"), method=method.upper())
            assert (response.status_code < 400 and response.location is None) <= is_open, path


def test_the_parameters_of_a_path_are_those_of_the_route(described: dict[str, Any]) -> None:
    frame = described["paths"]["/review/videos/{video_id}/frames/{number}.jpg"]["get"]
    kinds = {(p["name"], p["in"], p["required"], p["schema"]["type"]) for p in frame["parameters"]}
    assert kinds == {
        ("number", "path", True, "integer"), ("video_id", "path", True, "integer"), ("side", "query", False, "integer")
    }  # fmt: skip
    assert '"annotator"' in frame["description"]


def test_a_role_is_needed_that_the_description_names(web: FlaskClient, described: dict[str, Any]) -> None:
    for role in ("annotator", "reviewer"):
        an_account(web.application.extensions["stvg"].database, role, role)
        log_in(web, role)
        for path, methods in described["paths"].items():
            get = methods.get("get", {})
            if "role" in get.get("description", "") and "{" not in path:
                allowed = f'"{role}"' in get["description"] or '"annotator"' in get["description"]
                assert (web.get(path).status_code == 200) is allowed, (role, path)
