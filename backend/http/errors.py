"""What does a caller read when something goes wrong? One sentence; details stay in the log.

People who open a page read it on a page, everybody else as JSON.
"""

from __future__ import annotations

import logging

from flask import Flask, Response, jsonify, request
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from werkzeug.exceptions import HTTPException

from backend.db import room
from backend.db.errors import AWAY, DatabaseError
from backend.http import pages
from backend.http.services import services
from stvg_core.errors import QueryError, StvgError

logger = logging.getLogger(__name__)

_SENTENCES = {
    404: "There is no such address here. It may be mistyped, or what was there is gone.",
    405: "This address cannot be opened like this: it takes another HTTP method.",
    413: "The request is larger than STVG_MAX_BODY_BYTES allows.",
    415: "The request must be JSON.",
}


class UnknownProject(StvgError):
    """The project has never introduced itself."""

    def __init__(self, project_id: int) -> None:
        super().__init__(
            f"Project {project_id} is not known here. Connect it with: stvg connect, or press Save in its Machine "
            "Learning settings."
        )


def failure(sentence: str, status: int) -> Response:
    """``{"error": sentence}`` with a status."""
    response = jsonify(error=sentence)
    response.status_code = status
    return response


def answer(sentence: str, status: int) -> Response:
    """The sentence as a page where a person opened one, else as JSON."""
    if pages.is_page(request) and pages.wants_html(request):
        return pages.error_page(sentence, status)
    return failure(sentence, status)


def install(app: Flask) -> None:
    """Turn whatever is raised into a sentence."""

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        status = error.code or 500
        return answer(_SENTENCES.get(status, error.description or error.name), status)

    @app.errorhandler(UnknownProject)
    def unknown_project(error: UnknownProject) -> Response:
        return answer(str(error), 404)

    @app.errorhandler(QueryError)
    def bad_query(error: QueryError) -> Response:
        return answer(str(error), 422)

    @app.errorhandler(DatabaseError)
    def bad_database(error: DatabaseError) -> Response:
        return answer(str(error), 503)

    @app.errorhandler(StvgError)
    def bad_request(error: StvgError) -> Response:
        return answer(str(error), 400)

    def database_away(error: Exception) -> Response:
        if isinstance(error, SQLAlchemyError) and room.is_full(services().database.engine, error):
            logger.error("the disk of the database is full")
            return answer(room.FULL, 503)
        logger.error("the database does not answer: %s", type(error).__name__)
        return answer("The database does not answer, or is at an old migration. Try again later.", 503)

    for kind in (*AWAY, ProgrammingError):  # the last: a table that is not there, so an old migration
        app.register_error_handler(kind, database_away)

    @app.errorhandler(Exception)
    def defect(error: Exception) -> Response:
        logger.exception("internal error")
        return answer("Internal error. The service's log has the details.", 500)
