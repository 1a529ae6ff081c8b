"""``/review``: the queue, the page of one task, and what reviewers decide there."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, abort, flash, jsonify, make_response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from backend.annotations.target import RULE
from backend.db.types import plain
from backend.http import filters, footage, people, wording
from backend.http.audit import record
from backend.http.services import services
from backend.review import decisions, item, overlays, queue, tube_facts

blueprint = Blueprint("review", __name__)
wording.install(blueprint)

_LARGEST = 2**31 - 1  # our row numbers


@blueprint.get("/review/")
@people.require("annotator")
def queue_page() -> ResponseReturnValue:
    """The queue under the filter of the address."""
    chosen = filters.read(request.args)
    with services().database.read() as session:
        found, names = queue.look(session, chosen), services().names.known(session)
    return render_template(
        "queue.html",
        found=found,
        chosen=chosen,
        query=filters.query,
        states=queue.STATES,
        names=names,
        sorts=wording.SORTS,
    )


@blueprint.get("/review/tasks/<int:task_id>")
@people.require("annotator")
def item_page(task_id: int) -> ResponseReturnValue:
    """One task; the filter in the address says which tasks are the previous and the next."""
    return _show(task_id)


@blueprint.get("/review/tasks/<int:task_id>/evidence.json")
@people.require("annotator")
def evidence(task_id: int) -> Response:
    """What the page's scripts draw."""
    with services().database.read() as session:
        found = overlays.look(session, _checked(task_id), _compared(), services().names.known(session))
    if found is None:
        abort(404)
    return jsonify(found)


@blueprint.post("/review/tasks/<int:task_id>/decision")
@people.require("reviewer")
def decide(task_id: int) -> ResponseReturnValue:
    """Store a decision and go on to the next task; what cannot be stored is said, and what was typed is kept."""
    chosen, form, who = filters.read(request.args), request.form, _person()
    seen, decision = form.get("seen", type=int), form.get("decision", "")
    with services().database.read() as session:  # before the decision moves the task, and not while others wait
        following = queue.neighbours(session, chosen, _checked(task_id))[1]
    try:
        with services().database.write() as session:
            row = decisions.decide(
                session, _checked(task_id), decision, reason=form.get("reason") or None,
                comment=form.get("comment", ""), reviewer=who.name, account_id=who.id, seen=seen,
            )  # fmt: skip
            number = row.task.ls_task_id
            record(session, decision, f"task {task_id}", reason=row.reason, annotation=row.annotation_id)
    except decisions.DecisionError as error:
        return _show(task_id, problem=str(error), kept=dict(form), seen=seen)
    flash(f"{task_id}:{number}:{decision}", "decided")
    if following is None:
        return redirect(url_for("review.queue_page", **filters.query(chosen)), 303)
    return redirect(url_for("review.item_page", task_id=following, **filters.query(chosen)), 303)


@blueprint.post("/review/tasks/<int:task_id>/undo")
@people.require("reviewer")
def undo(task_id: int) -> ResponseReturnValue:
    """Take the standing decision back and show its task."""
    chosen, who = filters.read(request.args), _person()
    try:
        with services().database.write() as session:
            row = decisions.undo(session, _checked(task_id), reviewer=who.name, account_id=who.id)
            record(session, "undo", f"task {task_id}", undoes=row.undoes_id)
    except decisions.DecisionError as error:
        return _show(task_id, problem=str(error))
    flash("The decision was taken back.", "done")
    return redirect(url_for("review.item_page", task_id=task_id, **filters.query(chosen)), 303)


@blueprint.post("/review/tasks/<int:task_id>/offer")
@people.require("reviewer")
def offer(task_id: int) -> ResponseReturnValue:
    """Send the tube that was followed from a drawn box to Label Studio, as a suggestion that an annotator can take."""
    chosen = filters.read(request.args)
    with services().database.read() as session:
        label, found = tube_facts.to_offer(session, _checked(task_id))
    with services().database.write() as session:
        sent = tube_facts.offer(session, task_id, label, found)
        record(session, "offer", f"task {task_id}", predictions=sent)
    said = "It goes to Label Studio as a suggestion." if sent else "There is no such tube (any more)."
    flash(said, "done")
    return redirect(url_for("review.item_page", task_id=task_id, **filters.query(chosen)), 303)


def _show(
    task_id: int, *, problem: str | None = None, kept: dict[str, Any] | None = None, seen: int | None = None
) -> Response:
    """The page; with a problem, the status says whose: 409 where the label changed meanwhile, else 400."""
    chosen = filters.read(request.args)
    with services().database.read() as session:
        found = item.look(session, _checked(task_id), _compared())
        if found is None:
            abort(404)
        previous, following = queue.neighbours(session, chosen, task_id)
        names = services().names.known(session)
    state, reason = (None, None) if found.video is None else footage.where(found.video.id)
    page = render_template(
        "item.html", item=found, previous=previous, following=following, chosen=chosen, query=filters.query(chosen),
        problem=problem, kept=kept or {}, reasons=decisions.REASONS, footage=state, footage_reason=reason,
        labelling_url=services().settings.task_in_label_studio(found.row.project_id, found.row.ls_task_id),
        target_rule=RULE, names=names,
    )  # fmt: skip
    status = 200 if problem is None else 409 if kept is not None and found.seen != seen else 400
    return make_response(page, status)


def _compared() -> tuple[str | None, str | None]:
    """The two model versions that the address asks to compare."""
    return plain(request.args.get("a", "")) or None, plain(request.args.get("b", "")) or None


def _checked(task_id: int) -> int:
    if task_id > _LARGEST:
        abort(404)
    return task_id


def _person() -> people.Person:
    person = people.current()
    assert person is not None, "the role was checked before the view ran"
    return person
