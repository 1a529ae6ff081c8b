"""``/webhook``: keep the body before the reply, understand it later.

Label Studio waits one second, sends each event once and ignores the reply, so nothing is done here but keeping it.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from backend.db import events, projects
from backend.http.body import check_number, parse_json, raw_body
from backend.http.errors import UnknownProject
from backend.http.services import services
from backend.labelstudio.payloads import PayloadError, project_number

blueprint = Blueprint("webhook", __name__)


@blueprint.post("/webhook")
def webhook() -> Response:
    """Store the event. One of an unknown project is kept too, and read once the project is known; the reply is 404."""
    body = raw_body()
    content = parse_json(body)
    action = content.get("action") if isinstance(content, dict) else None
    if not isinstance(action, str) or not action:
        raise PayloadError('The event has no "action".')
    project = content.get("project")
    project_id = project_number(project.get("id") if isinstance(project, dict) else project)
    if project_id is not None:
        check_number(project_id)
    with services().database.write() as session:
        known = project_id is None or projects.find(session, project_id) is not None
        state = "new" if known else "unknown_project"
        new = events.store(session, body, action=action, project_id=project_id, state=state)
    if not known:
        assert project_id is not None
        raise UnknownProject(project_id)
    return jsonify(status="stored" if new else "known")
