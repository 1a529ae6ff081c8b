"""``/review/bulk``: accept many tasks at once, after a page that shows which."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue

from backend.db import projects
from backend.db.engine import rest
from backend.db.task_state import SUGGESTED
from backend.http import filters, people
from backend.http.address_values import FilterError
from backend.http.audit import record
from backend.http.errors import answer
from backend.http.services import services
from backend.review import bulk
from backend.review.bulk import KINDS, LeftOut, Shown
from backend.review.queue import QueueFilter

blueprint = Blueprint("bulk", __name__, url_prefix="/review/bulk")
blueprint.add_app_template_test(bulk.doubtful)


@blueprint.get("")
@people.require("reviewer")
def preview() -> ResponseReturnValue:
    """Which tasks would be accepted; nothing is listed before an uncertainty is named below which they have to be."""
    chosen = _read()
    with services().database.read() as session:
        found = None if chosen.below is None else bulk.look(session, chosen)
        choices = {"projects": projects.titles(session), "names": services().names.known(session)}
    return render_template("bulk.html", found=found, **_about(chosen), **choices)


@blueprint.post("")
@people.require("reviewer")
def accept() -> ResponseReturnValue:
    """Accept what was ticked, where it is still what was shown; a second time it does nothing."""
    chosen, person = _read(), people.current()
    assert person is not None, "the role was checked before the view ran"
    sent = request.form.getlist("row")
    shown = [one for text in sent if (one := bulk.from_text(text)) is not None]
    if not shown or len(shown) != len(sent):
        why = "the list is damaged." if sent else "no task is ticked. Go back and tick at least one."
        return answer(f"Nothing was accepted: {why}", 400)
    if len(sent) > bulk.PAGE:
        return answer(f"Nothing was accepted: a list has at most {bulk.PAGE} tasks, this one has {len(sent)}.", 400)
    accepted, left_out = _accept(shown, person)
    return render_template("bulk_done.html", accepted=accepted, left_out=left_out, **_about(chosen))


def _accept(shown: list[Shown], person: people.Person) -> tuple[int, list[LeftOut]]:
    """A few in each transaction; what went before stays if a later one fails."""
    accepted, left_out = 0, list[LeftOut]()
    for turn in bulk.turns(shown):
        began = time.monotonic()
        with services().database.write() as session:
            rows, others = bulk.accept(session, turn, reviewer=person.name, account_id=person.id)
            for row in rows:
                detail = {"annotation": row.annotation_id, "prediction": row.prediction_id, "together": len(shown)}
                record(session, row.decision, f"task {row.task_id}", **detail)
        accepted, left_out = accepted + len(rows), left_out + others
        rest(began)
    return accepted, left_out


def _read() -> QueueFilter:
    """The queue's filter; without a state it is about suggestions that nobody annotated."""
    chosen = filters.read(request.args)
    if chosen.state is not None and chosen.state not in KINDS:
        raise FilterError("state", chosen.state, f"Here it is one of: {', '.join(KINDS)}.")
    if chosen.sort != filters.DEFAULT.sort or not chosen.descending:
        raise FilterError("sort", chosen.sort, "Here the least uncertain come first: leave sort and order out.")
    return replace(chosen, state=chosen.state or SUGGESTED)


def _about(chosen: QueueFilter) -> dict[str, Any]:
    return {"chosen": chosen, "query": filters.query, "kinds": KINDS, "to_text": bulk.to_text}
