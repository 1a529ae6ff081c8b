"""``/openapi.json``: which routes are there, what do they take, answer, and want of whoever asks?

Paths, methods, security and common answers are read off the app itself; the rest is in
:mod:`backend.http.descriptions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from flask import Blueprint, Flask, Response, current_app, jsonify
from werkzeug.routing import Rule

from backend.http import auth, pages, people
from backend.http.csrf import HEADER
from backend.http.descriptions import ERROR, HTML, JSON, OPERATIONS, Operation, Schema
from stvg_core.version import package_version

blueprint = Blueprint("openapi", __name__)

_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_ARGUMENT = re.compile(r"<(?:[a-z]+:)?([a-z_]+)>")
_LOG_IN = ("basic", "token", "header")
_SECURITY: dict[str, Schema] = {
    "basic": {"type": "http", "scheme": "basic", "description": "STVG_USERNAME and STVG_PASSWORD"},
    "token": {"type": "apiKey", "in": "header", "name": "Authorization", "description": "Token STVG_API_TOKEN"},
    "header": {"type": "apiKey", "in": "header", "name": "X-STVG-Token", "description": "STVG_API_TOKEN"},
    "session": {"type": "apiKey", "in": "cookie", "name": "stvg_session", "description": "given by /login"},
    "csrf": {"type": "apiKey", "in": "header", "name": HEADER, "description": "the token in the session's pages"},
}
_NEEDS_DATABASE = 503


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """This description, for programs that ask the service."""
    return jsonify(describe(current_app))


def describe(app: Flask) -> dict[str, Any]:
    """The OpenAPI 3.1 description of all routes of an app."""
    paths: dict[str, dict[str, Any]] = {}
    for rule, method in routes(app):
        paths.setdefault(_ARGUMENT.sub(r"{\1}", rule.rule), {})[method.lower()] = _operation(app, rule, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stvg",
            "version": package_version(),
            "description": "Spatio-temporal tubes for Label Studio",
        },
        "paths": paths,
        "components": {"securitySchemes": _SECURITY},
    }


def routes(app: Flask) -> Iterator[tuple[Rule, str]]:
    """Every route with each of its methods, in the order of their paths."""
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: rule.rule):
        for method in _METHODS:
            if method in (rule.methods or ()):
                yield rule, method


def missing(app: Flask) -> list[tuple[str, str]]:
    """Endpoints and methods that :data:`OPERATIONS` does not describe; a test wants none."""
    return [(rule.endpoint, method) for rule, method in routes(app) if (rule.endpoint, method) not in OPERATIONS]


def _operation(app: Flask, rule: Rule, method: str) -> dict[str, Any]:
    known = OPERATIONS.get((rule.endpoint, method), Operation({200: None}))
    view = app.view_functions[rule.endpoint]
    said = " ".join((view.__doc__ or "").split("\n\n")[0].split())
    role = people.required_role(app, rule.endpoint)
    found: dict[str, Any] = {
        "operationId": f"{rule.endpoint}.{method.lower()}",
        "summary": said or rule.endpoint,
        "parameters": [*_in_path(rule), *_in_query(known)],
        "responses": {str(status): answer for status, answer in sorted(_answers(rule, method, known).items())},
        "security": _security(rule, method, role),
    }
    if role is not None:
        found["description"] = f'For people with the role "{role}" or a larger one.'
    if known.body is not None:
        found["requestBody"] = {"required": True, "content": {known.body[0]: {"schema": known.body[1]}}}
    return found


def _in_path(rule: Rule) -> Iterator[dict[str, Any]]:
    for name, converter in sorted(rule._converters.items()):
        numbers = converter.__class__.__name__ == "IntegerConverter"
        schema: Schema = {"type": "integer", "minimum": 0} if numbers else {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _in_query(known: Operation) -> Iterator[dict[str, Any]]:
    for name, schema in known.query.items():
        yield {"name": name, "in": "query", "required": False, "schema": schema}


def _answers(rule: Rule, method: str, known: Operation) -> dict[int, dict[str, Any]]:
    """What a route of this kind may answer: its own, and what is checked before any of them is called."""
    statuses = set(known.others)
    if not _is_static(rule):
        statuses.add(_NEEDS_DATABASE)
    if _is_page(rule):
        if rule.endpoint not in pages.OPEN:
            statuses |= {303, 401, 403}
        if method != "GET":
            statuses |= {403, 413}
    elif rule.endpoint not in auth.OPEN:
        statuses |= {401, 429}
        if known.body is not None:
            statuses |= {400, 413}
    found = {status: _answer(status, content) for status, content in known.good.items()}
    for status in statuses - found.keys():
        found[status] = _answer(status, None) if status < 400 else _failure(rule, status)
    return found


def _answer(status: int, content: tuple[str, Schema] | None) -> dict[str, Any]:
    said = {"description": HTTPStatus(status).phrase}
    return said if content is None else {**said, "content": {content[0]: {"schema": content[1]}}}


def _failure(rule: Rule, status: int) -> dict[str, Any]:
    """One sentence: as JSON, or on a page where a person looks."""
    schema = ERROR if rule.endpoint not in auth.OPEN else {"type": "object"}
    content: dict[str, Any] = {JSON: {"schema": schema}}
    if _is_page(rule):
        content[HTML] = {"schema": {"type": "string"}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _security(rule: Rule, method: str, role: str | None) -> list[dict[str, list[str]]]:
    if _is_page(rule):
        needed: dict[str, list[str]] = {"session": []} if role is not None or method != "GET" else {}
        return [needed | ({"csrf": []} if method != "GET" else {})]
    return [] if rule.endpoint in auth.OPEN else [{name: []} for name in _LOG_IN]


def _is_page(rule: Rule) -> bool:
    return _is_static(rule) or rule.endpoint.partition(".")[0] in pages.BLUEPRINTS


def _is_static(rule: Rule) -> bool:
    return str(rule.endpoint) == "static"
