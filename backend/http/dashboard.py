"""``/review/dashboard``: what people have done, what waits, and how well it goes."""

from __future__ import annotations

from functools import partial
from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from backend.db import annotations as stored
from backend.db import projects
from backend.db.choices import values_of
from backend.db.tables import TaskState
from backend.http.address_values import FilterError, read_days, read_number, read_stored
from backend.http.people import require
from backend.http.services import services
from backend.review import dashboard
from backend.review.dashboard import Chosen

blueprint = Blueprint("dashboard", __name__, url_prefix="/review/dashboard")

FIELDS = ("project", "from", "to", "annotator", "version")


@blueprint.get("")
@require("reviewer")
def page() -> ResponseReturnValue:
    """Figures under the filter of the address; a value that cannot be read is named, and nothing is counted."""
    given = {name: request.args.get(name, "").strip() for name in FIELDS}
    found, error = None, ""
    with services().database.read() as session:
        choices = _choices(session, given)
        try:
            chosen = read(request.args)
            if chosen.project_id is not None and chosen.project_id not in dict(choices["projects"]):
                raise FilterError("project", str(chosen.project_id), "There is no such project here.")
            found = dashboard.look(session, chosen)
        except FilterError as problem:
            error = str(problem)
        names = services().names.known(session)
    titles = {str(number): title or f"Project {number}" for number, title in choices["projects"]}
    shown = render_template(
        "dashboard.html", found=found, given=given, error=error, titles=titles, days_shown=dashboard.DAYS,
        names={str(number): name for number, name in names.items()}, link=partial(_link, given), **choices,
    )  # fmt: skip
    return make_response(shown, 400 if error else 200)


def read(asked: MultiDict[str, str]) -> Chosen:
    """``?project=3&from=2026-01-01&to=2026-01-31&annotator=7&version=...``; what is empty is no limit.

    Raises:
        FilterError: a value cannot be read; the message names its field.
    """
    first, last = read_days(asked)
    return Chosen(
        project_id=read_number(asked, "project", signed=True), first=first, last=last,
        annotator=read_number(asked, "annotator"), model_version=read_stored(asked, "version"),
    )  # fmt: skip


def _link(given: dict[str, str], name: str, value: str) -> str:
    """The same page with one more value in the filter."""
    fields = {**given, name: value}
    asked: dict[str, Any] = {field: text for field, text in fields.items() if text}
    return url_for("dashboard.page", **asked)


def _choices(session: Session, given: dict[str, str]) -> dict[str, list[Any]]:
    """What the form offers; what stands in the address is among it, known or not."""
    versions = [name for name in values_of(session, TaskState.model_version) if name]
    people = [str(number) for number in stored.authors(session)]
    known: dict[str, list[Any]] = {"projects": list(projects.titles(session))}
    for name, values, asked in (("versions", versions, given["version"]), ("people", people, given["annotator"])):
        known[name] = [*values, *([asked] if asked and asked not in values else [])]
    return known
