"""``/review/audit``: who did what, as a page and as CSV, for admins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from flask import Blueprint, Response, make_response, render_template, request
from flask.typing import ResponseReturnValue

from backend.db import audits
from backend.db.tables import Audit
from backend.http import audit_log
from backend.http.address_values import FilterError, read_number
from backend.http.audit import record
from backend.http.errors import answer
from backend.http.people import require
from backend.http.services import services

blueprint = Blueprint("audit", __name__, url_prefix="/review")

ROWS = 50
_LAST_ROW = 2**31 - 1


@blueprint.get("/audit")
@require("admin")
def page() -> ResponseReturnValue:
    """Who did what, newest first; ``?before=`` is the row that the page before ended with."""
    before, given, error = None, audit_log.given(request.args), ""
    rows: Sequence[Audit] = ()
    with services().database.read() as session:
        people, acts = audits.choices(session)
        try:
            before = read_number(request.args, "before", largest=_LAST_ROW)
            rows = audits.newest(session, ROWS + 1, before, audit_log.read(request.args))
        except FilterError as problem:
            error = str(problem)
    older = rows[ROWS - 1].id if len(rows) > ROWS else None
    shown = render_template(
        "audit.html", rows=rows[:ROWS], before=before, older=older, in_words=audit_log.in_words, given=given,
        query={name: value for name, value in given.items() if value}, people=people, acts=acts, error=error,
        most=audit_log.MOST,
    )  # fmt: skip
    return make_response(shown, 400 if error else 200)


@blueprint.get("/audit.csv")
@require("admin")
def download() -> ResponseReturnValue:
    """The acts under the filter as CSV, the newest 100,000 at most; that they were taken is an act too."""
    try:
        chosen = audit_log.read(request.args)
    except FilterError as problem:
        return answer(str(problem), 400)
    lines = audit_log.lines(services().database, chosen)
    begun = next(lines)  # what cannot be read is said before the file begins
    with services().database.write() as session:
        record(session, "download audit log", "", **audit_log.given(request.args))
    response = Response(chain([begun], lines), mimetype="text/csv")
    name = f"stvg-audit-{datetime.now(UTC):%Y%m%d-%H%M%S}.csv"
    response.headers["Content-Disposition"] = f"attachment; filename={name}"
    return response
