"""``/webhook``: keep the body before the reply, understand it later.

Label Studio waits one second, sends each event once and ignores the reply, so nothing is done here but keeping it. Only
its shape is looked at: what could never be read is refused.
"""

from __future__ import annotations

import logging

from flask import Blueprint, Response, jsonify

from backend.db import events, projects
from backend.http.body import parse_json, raw_body
from backend.http.errors import UnknownProject
from backend.http.services import services
from backend.jobs.pressing import press_again
from backend.labelstudio.events import TRAIN, parse_event
from backend.labelstudio.payloads import PayloadError

logger = logging.getLogger(__name__)
blueprint = Blueprint("webhook", __name__)


@blueprint.post("/webhook")
def webhook() -> Response:
    """Store the event. One of an unknown project is kept too, and read once the project is known; the reply is 404.

    Raises:
        PayloadError: no event, or with numbers or text that no database can keep.
    """
    body = raw_body()
    try:
        event = parse_event(parse_json(body))
    except PayloadError as error:
        logger.warning("an event is refused: %s", error)  # nobody reads the reply
        raise
    project_id = event.project_id
    with services().database.write() as session:
        known = project_id is None or projects.find(session, project_id) is not None
        state = "new" if known else "unknown_project"
        new = events.store(session, body, action=event.action, project_id=project_id, state=state)
        if not new and event.action == TRAIN:
            new = press_again(session, body, project_id=project_id, looks=services().versions.looks)
    if not known:
        assert project_id is not None
        raise UnknownProject(project_id)
    return jsonify(status="stored" if new else "known")
