"""Who is looking at the page, and may they?

Every page endpoint needs a role. One that names none is refused to everybody, so forgetting it cannot open a page.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

from flask import Flask, current_app, redirect, request
from flask.typing import ResponseReturnValue

from backend.db import accounts
from backend.http import pages, sessions
from backend.http.errors import answer
from backend.http.services import services

_View = TypeVar("_View", bound=Callable[..., object])
_ROLE, _PERSON = "stvg_role", "stvg.person"


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in. ``ls_user_id``: who they are in Label Studio, where that is known."""

    id: int
    name: str
    role: str
    ls_user_id: int | None


def current() -> Person | None:
    """The person of the present request, None without a valid session."""
    known = request.environ
    if _PERSON not in known:
        known[_PERSON] = None  # stays when the database is away, so that the page that says so can be written
        known[_PERSON] = _look()
    person: Person | None = known[_PERSON]
    return person


def forget() -> None:
    """Look again when next asked: the session is another one now."""
    request.environ.pop(_PERSON, None)


def may(role: str) -> bool:
    """Has the person this role, or one that includes it?"""
    person = current()
    return person is not None and accounts.ROLES.index(person.role) >= accounts.ROLES.index(role)


def require(role: str) -> Callable[[_View], _View]:
    """Mark a view as one for people with this role or a larger one; put it below the route."""
    assert role in accounts.ROLES, role

    def mark(view: _View) -> _View:
        setattr(view, _ROLE, role)
        return view

    return mark


def required_role(app: Flask, endpoint: str) -> str | None:
    """The role that a view was marked with."""
    return getattr(app.view_functions[endpoint], _ROLE, None)


def install(app: Flask) -> None:
    """Check every page request; give templates ``person()`` and ``may(role)``."""
    app.jinja_env.globals.update(person=current, may=may)

    @app.before_request
    def check() -> ResponseReturnValue | None:
        endpoint = request.endpoint
        if endpoint is None or not pages.is_page(request) or endpoint in pages.OPEN:
            return None
        role = required_role(current_app, endpoint)
        if role is None:
            return answer("Nobody may open this page.", 403)
        person = current()
        if person is None:
            return _to_log_in()
        if not may(role):
            return answer(f'This needs the role "{role}". You are logged in as "{person.role}".', 403)
        return None


def _look() -> Person | None:
    held = sessions.held()
    if held is None:
        return None
    with services().database.read() as session:
        account = accounts.by_id(session, held.account_id)
    if account is None or account.disabled or not hmac.compare_digest(account.session_key, held.session_key):
        return None
    return Person(account.id, account.name, account.role, account.ls_user_id)


def _to_log_in() -> ResponseReturnValue:
    """Browsers go to the log-in page and come back; scripts read why."""
    if not pages.wants_html(request):
        return answer("You are not logged in, or no longer. Log in and try again.", 401)
    here = request.full_path.removesuffix("?") if request.method == "GET" else ""
    return redirect(f"/login?next={quote(here, safe='/')}" if here else "/login", 303)
