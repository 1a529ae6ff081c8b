"""``/review/work``: how far the work is, what fails, and trying it again."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from werkzeug.datastructures import MultiDict

from backend.db import projects, work_lists
from backend.http import filters
from backend.http.audit import record
from backend.http.people import require
from backend.http.services import services
from backend.review import work

blueprint = Blueprint("work", __name__, url_prefix="/review/work")

AT_ONCE = 500
"""Jobs per press of the button: while they are queued again nobody else can write."""


@blueprint.get("")
@require("reviewer")
def page() -> ResponseReturnValue:
    """The present state; its script asks for the page again every few seconds."""
    chosen = _read(request.args)
    with services().database.read() as session:
        found = work.look(session, chosen)
        choices = {"projects": projects.titles(session), "model_versions": list(found.by_version)}
    return render_template("work.html", found=found, chosen=chosen, query=_query(chosen), shown=work.SHOWN, **choices)


@blueprint.post("/jobs/<int:job_id>/retry")
@require("reviewer")
def retry(job_id: int) -> ResponseReturnValue:
    """Queue again what failed for the same reason as this job."""
    back = redirect(url_for("work.page", **_query(_read(request.args))), 303)
    if job_id >= 2**31:
        flash("There is no such job.", "done")
        return back
    with services().database.read() as session:
        alike, more = work.alike(session, _read(request.args), job_id, most=AT_ONCE)
    done = work_lists.retry_jobs(services().database, work_lists.Chosen(ids=tuple(alike))) if alike else 0
    if done:
        with services().database.write() as session:
            record(session, "retry jobs", f"job {job_id}", jobs=done)
    said = f"{done} queued again." if done else "There is nothing to try again: somebody did, or it is done."
    flash(f"{said} More failed for this reason: press again for the next {AT_ONCE}." if more else said, "done")
    return back


def _read(asked: MultiDict[str, str]) -> work.WorkFilter:
    """``?project=3&version=...``, as in the queue's address."""
    chosen = filters.read(asked)
    return work.WorkFilter(chosen.project_id, chosen.model_version)


def _query(chosen: work.WorkFilter) -> dict[str, Any]:
    given = {"project": chosen.project_id, "version": chosen.model_version}
    return {name: str(value) for name, value in given.items() if value is not None}
