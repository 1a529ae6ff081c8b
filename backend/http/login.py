"""``/login`` and ``/logout``: who are you?"""

from __future__ import annotations

import logging
import math
from datetime import timedelta

from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request
from flask.blueprints import BlueprintSetupState
from flask.typing import ResponseReturnValue

from backend.db import accounts, audits
from backend.http import people, sessions
from backend.http.audit import record
from backend.http.services import services
from backend.http.throttle import Throttle

logger = logging.getLogger(__name__)
blueprint = Blueprint("login", __name__)

HOME = "/review/"
WRONG = "The name or the password is wrong."
_LONGEST_ADDRESS = 2000


@blueprint.record_once
def _prepare(state: BlueprintSetupState) -> None:
    state.app.extensions["stvg_throttle"] = Throttle()


def local(address: str) -> str:
    """The address, if it is one of the pages here; else the first page. Nobody is sent elsewhere after the log-in."""
    good = address.startswith(HOME) and address.isprintable() and len(address) <= _LONGEST_ADDRESS
    return address if good else HOME


@blueprint.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    """The form, and what it sends. An unknown name and a wrong password get the same answer."""
    wanted = local(request.values.get("next", ""))
    if request.method == "GET":
        return redirect(wanted, 303) if people.current() is not None else _form(wanted)
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    throttle, address = _throttle(), request.remote_addr or ""
    wait = throttle.begin(name, address)
    if wait:
        logger.warning("log-in refused: too many failures")
        minutes = math.ceil(wait / 60)
        sentence = f"Too many failed log-ins. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
        response = _form(wanted, name=name, error=sentence, status=429)
        response.headers["Retry-After"] = str(math.ceil(wait))
        return response
    with services().database.read() as session:
        account = accounts.check(session, name, password)
    if account is None:
        _note_failure(name)
        return _form(wanted, name=name, error=WRONG, status=401)
    throttle.forgive(name, address)
    sessions.begin(account, timedelta(hours=services().settings.session_hours))
    people.forget()
    with services().database.write() as session:
        record(session, "log in", account.name)
    return redirect(wanted, 303)


@blueprint.post("/logout")
def logout() -> ResponseReturnValue:
    """End the session and go to the log-in."""
    person = people.current()
    if person is not None:
        with services().database.write() as session:
            record(session, "log out", person.name)
    sessions.end()
    people.forget()
    return redirect("/login", 303)


def _form(wanted: str, *, name: str = "", error: str = "", status: int = 200) -> Response:
    with services().database.read() as session:
        nobody = not accounts.any_enabled(session)
    page = render_template("login.html", next=wanted, name=name, error=error, nobody=nobody)
    return make_response(page, status)


def _note_failure(name: str) -> None:
    """A name that no account has is not kept: it may be a password typed into the wrong field."""
    with services().database.write() as session:
        known = accounts.find(session, name)
        target = "(no such account)" if known is None else known.name
        who, address = "not logged in", request.remote_addr
        audits.add(session, who=who, action="log-in failed", target=target, address=address)


def _throttle() -> Throttle:
    throttle: Throttle = current_app.extensions["stvg_throttle"]
    return throttle
