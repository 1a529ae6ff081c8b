"""Is the service up, who is it, and which model does it stand for?"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, current_app, jsonify, redirect, request, url_for
from flask.typing import ResponseReturnValue

from backend.db import deliveries, jobs, room, schema
from backend.db.errors import DatabaseError
from backend.http import layout, pages
from backend.http.services import services
from stvg_core.version import package_version

blueprint = Blueprint("health", __name__)


@blueprint.get("/health")
def health() -> Response:
    """200 when requests can be answered, 503 with the reason when the database is away or at an old migration.

    Label Studio asks here whether the service is up. It is answered beside whoever writes to the database.
    """
    return _state({"status": "UP", "model_class": "stvg"}, "DOWN")


@blueprint.get("/ready")
def ready() -> Response:
    """The same for load balancers and orchestrators, with the migration that this version needs.

    A database whose disk is full still answers who reads, so it is up; but it is not ready.
    """
    needed = {"migration": schema.head_revision()}
    engine = services().database.engine
    return _state({"status": "READY", **needed}, "NOT READY", needed, also=room.FULL if room.is_short(engine) else None)


def _state(good: dict[str, Any], bad: str, facts: dict[str, Any] | None = None, *, also: str | None = None) -> Response:
    answer: layout.Answer = current_app.extensions["stvg_answer"]
    said = answer.problem() or also
    if said is None:
        return jsonify(good)
    response = jsonify(status=bad, error=said, **(facts or {}))
    response.status_code = 503
    return response


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Name, version and state for programs, with their credentials; a browser is led to the review pages without."""
    if pages.is_visitor(request):
        response = redirect(url_for("review.queue_page"))
        response.vary.add("Accept")
        return response
    facts: dict[str, Any] = {"name": "stvg", "version": package_version(), "model_version": services().versions.base}
    try:
        schema.check_ready(services().database.engine)
        with services().database.read() as session:
            facts |= {"status": "UP", "model_version": services().versions.present(session)}
            facts |= {"jobs": jobs.counts(session), "deliveries": deliveries.counts(session)}
    except DatabaseError as error:
        facts |= {"status": "DOWN", "error": str(error)}
    return jsonify(facts)


@blueprint.get("/versions")
def versions() -> Response:
    """The model versions that can be chosen: there is one."""
    return jsonify(versions=[services().model_version])
