"""``/review/export`` and ``/review/audit``: what only an admin may do and see."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.db import accounts, audits, projects
from backend.db import annotations as stored
from backend.export.errors import ExportError
from backend.http.audit import record
from backend.http.dataset import LABELS, WHAT, choices, pack, read_form
from backend.http.people import require
from backend.http.services import services
from backend.jobs.rereading import reread

blueprint = Blueprint("admin", __name__, url_prefix="/review")

AUDIT_ROWS = 50


@blueprint.get("/export")
@require("admin")
def export() -> ResponseReturnValue:
    """The form."""
    return _form(MultiDict())


@blueprint.post("/export")
@require("admin")
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
    before = request.args.get("before", type=int)
    if before is not None and not 0 < before < 2**31:
        before = None
    with services().database.read() as session:
        rows = audits.newest(session, AUDIT_ROWS + 1, before)
    older = rows[AUDIT_ROWS - 1].id if len(rows) > AUDIT_ROWS else None
    return render_template("audit.html", rows=rows[:AUDIT_ROWS], before=before, older=older, in_words=in_words)


def in_words(detail: dict[str, Any]) -> str:
    """``labels: 3; filters: project 1, accepted only``."""
    filled = {name: value for name, value in detail.items() if value not in (None, "", [], {})}
    texts = {name: ", ".join(map(str, value)) if isinstance(value, list) else value for name, value in filled.items()}
    return "; ".join(f"{name}: {text}" for name, text in texts.items())


def _form(given: MultiDict[str, str], *, error: str = "", status: int = 200) -> Response:
    with services().database.read() as session:
        names = {account.ls_user_id: account.name for account in accounts.every(session)}
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
