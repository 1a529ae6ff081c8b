"""``/review/export``, for reviewers and admins, and ``/review/audit``, for admins."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.db import annotations as stored
from backend.db import audits, projects
from backend.db.tables import Audit
from backend.export.errors import ExportError
from backend.http import audit_log
from backend.http.audit import record
from backend.http.dataset import LABELS, WHAT, choices, pack, read_form
from backend.http.days import FilterError
from backend.http.errors import answer
from backend.http.people import require
from backend.http.services import services
from backend.jobs.rereading import reread

blueprint = Blueprint("admin", __name__, url_prefix="/review")

AUDIT_ROWS = 50


@blueprint.get("/export")
@require("reviewer")
def export() -> ResponseReturnValue:
    """The form."""
    return _form(MultiDict())


@blueprint.post("/export")
@require("reviewer")
def send_export() -> ResponseReturnValue:
    """Labels or suggestions as a zip file; the form again, with the reason, where there is nothing to send."""
    given = request.form
    try:
        wanted = read_form(given)
        reread(services().database)
        with services().database.read() as session:
            packed = pack(session, wanted)
    except ExportError as error:
        return _form(given, error=str(error), status=400)
    except OSError as error:
        return _form(given, error=f"The export could not be written: {error.strerror}.", status=507)
    with services().database.write() as session:
        record(session, "export", wanted.form.title, labels=packed.labels, filters=wanted.sentences())
    what = "-suggestions" if wanted.selection.suggestions else ""
    name = f"stvg-{wanted.kind}{what}-{datetime.now(UTC):%Y%m%d-%H%M%S}.zip"
    response = send_file(packed.file, mimetype="application/zip", as_attachment=True, download_name=name)
    response.content_length = packed.size
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/audit")
@require("admin")
def audit() -> ResponseReturnValue:
    """Who did what, newest first; ``?before=`` is the row that the page before ended with."""
    before, given, error = request.args.get("before", type=int), audit_log.given(request.args), ""
    if before is not None and not 0 < before < 2**31:
        before = None
    rows: Sequence[Audit] = ()
    with services().database.read() as session:
        people, acts = audits.choices(session)
        try:
            rows = audits.newest(session, AUDIT_ROWS + 1, before, audit_log.read(request.args))
        except FilterError as problem:
            error = str(problem)
    older = rows[AUDIT_ROWS - 1].id if len(rows) > AUDIT_ROWS else None
    shown = render_template(
        "audit.html", rows=rows[:AUDIT_ROWS], before=before, older=older, in_words=audit_log.in_words, given=given,
        query={name: value for name, value in given.items() if value}, people=people, acts=acts, error=error,
        most=audit_log.MOST,
    )  # fmt: skip
    return make_response(shown, 400 if error else 200)


@blueprint.get("/audit.csv")
@require("admin")
def audit_csv() -> ResponseReturnValue:
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


def _form(given: MultiDict[str, str], *, error: str = "", status: int = 200) -> Response:
    with services().database.read() as session:
        names = services().names.known(session)
        facts: dict[str, Any] = {
            "projects": projects.titles(session),
            "annotators": [(number, names.get(number)) for number in stored.authors(session)],
        }
    chosen = {
        "format": given.get("format", "hcstvg2"),
        "what": given.get("what", LABELS),
        "annotators": given.getlist("annotator"),
    }
    facts |= {"formats": choices(), "what": WHAT}
    page = render_template("export.html", given=given, chosen=chosen, error=error, **facts)
    return make_response(page, status)
