"""``/review/export``: labels or suggestions as a zip file, for reviewers and admins."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, make_response, render_template, request, send_file
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.db import annotations as stored
from backend.db import projects
from backend.export.errors import ExportError
from backend.http.audit import record
from backend.http.dataset import LABELS, WHAT, choices, pack, read_form
from backend.http.people import require
from backend.http.services import services
from backend.jobs.rereading import reread

blueprint = Blueprint("export", __name__, url_prefix="/review/export")


@blueprint.get("")
@require("reviewer")
def page() -> ResponseReturnValue:
    """The form."""
    return _form(MultiDict())


@blueprint.post("")
@require("reviewer")
def send() -> ResponseReturnValue:
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
