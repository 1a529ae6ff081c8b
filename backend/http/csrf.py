"""Did the form come from our own page? Another site can send a form with the cookie, but it cannot read the token."""

from __future__ import annotations

import hmac
import secrets

from flask import Flask, Response, request, session

from backend.http import pages
from backend.http.errors import answer

FIELD, HEADER = "csrf_token", "X-CSRF-Token"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_KEY = "csrf"


def csrf_token() -> str:
    """The token of this browser's session; made when a page first asks for it."""
    if _KEY not in session:
        session[_KEY] = secrets.token_urlsafe(32)
    return str(session[_KEY])


def install(app: Flask) -> None:
    """Refuse what would change something and has no token; give templates ``csrf_token()``."""
    app.jinja_env.globals.update(csrf_token=csrf_token)

    @app.before_request
    def check() -> Response | None:
        if request.method in _SAFE or not pages.is_page(request):
            return None
        given = request.headers.get(HEADER) or request.form.get(FIELD, "")
        expected = str(session.get(_KEY, ""))
        if expected and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode()):
            return None
        return answer(
            "This form is too old, or did not come from this page. Go back, load the page again and retry.", 403
        )
