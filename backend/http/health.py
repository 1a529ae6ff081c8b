"""Is the service up, who is it, and which model does it stand for?"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from backend.db import deliveries, jobs, schema
from backend.db.errors import DatabaseError
from backend.http.services import services

blueprint = Blueprint("health", __name__)


def package_version() -> str:
    try:
        return version("stvg")
    except PackageNotFoundError:
        return "unknown"


@blueprint.get("/health")
def health() -> Response:
    """200 when requests can be answered, 503 with the reason when the database is away or at an old migration."""
    try:
        schema.check_ready(services().database.engine)
    except DatabaseError as error:
        response = jsonify(status="DOWN", error=str(error))
        response.status_code = 503
        return response
    return jsonify(status="UP", model_class="stvg")


@blueprint.get("/")
def index() -> Response:
    """Name, version and state: a small page for people, JSON for programs."""
    facts: dict[str, Any] = {"name": "stvg", "version": package_version(), "model_version": services().versions.base}
    try:
        schema.check_ready(services().database.engine)
        with services().database.read() as session:
            facts |= {"status": "UP", "model_version": services().versions.present(session)}
            facts |= {"jobs": jobs.counts(session), "deliveries": deliveries.counts(session)}
    except DatabaseError as error:
        facts |= {"status": "DOWN", "error": str(error)}
    if request.accept_mimetypes.best_match(["application/json", "text/html"]) != "text/html":
        return jsonify(facts)
    response = make_response(render_template("index.html", facts=facts))
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'self'; img-src 'self'"
    return response


@blueprint.get("/versions")
def versions() -> Response:
    """The model versions that can be chosen: there is one."""
    return jsonify(versions=[services().model_version])
