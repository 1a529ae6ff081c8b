"""Which request does a line of the log belong to? Each has an id; a proxy's own is taken where it is a sane one."""

from __future__ import annotations

import re
import uuid

from flask import Flask, Response, g, request

from backend.logs import note

HEADER = "X-Request-Id"
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def install(app: Flask) -> None:
    """Give every request its id, for its lines in the log and back in the answer. To be installed first."""

    @app.before_request
    def begin() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _SANE.fullmatch(given) else uuid.uuid4().hex
        note(request_id=g.request_id)

    @app.after_request
    def tell(response: Response) -> Response:
        if "request_id" in g:
            response.headers[HEADER] = g.request_id
        return response

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        note(request_id=None)
