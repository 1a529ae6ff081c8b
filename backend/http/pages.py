"""Which requests are for the pages that people look at, and what is special about those?

Pages know people by their session only. Everything else here is the protocol, which knows programs by Basic
credentials or a token only (``backend.http.auth``).
"""

from __future__ import annotations

from flask import Request, Response, make_response, render_template

BLUEPRINTS = frozenset({"login", "export", "audit", "review", "footage", "work", "dashboard", "bulk", "thumbnails"})
OPEN = frozenset({"login.login", "login.logout", "static"})
"""What somebody who is not logged in may ask for."""

_PATHS = ("/review", "/login", "/logout", "/static/")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)


def is_page(asked: Request) -> bool:
    """Is it a page, or what belongs to one? An address or a method that does not exist counts by its path."""
    if asked.endpoint is None:
        return asked.path.startswith(_PATHS)
    return asked.endpoint == "static" or asked.blueprint in BLUEPRINTS


def wants_html(asked: Request) -> bool:
    """Is a person looking? A browser that opens a page names HTML; its scripts, images and videos do not."""
    accepted = asked.accept_mimetypes
    return not accepted.provided or any(kind == "text/html" and quality > 0 for kind, quality in accepted)


def is_visitor(asked: Request) -> bool:
    """Does a browser open the service's own address, ``/``? Programs there ask for JSON, for anything, or do not say.

    Such a request needs no credentials: it is sent on to the pages, and a browser that got a 401 would open its own
    password box, whose names and passwords are not those of the pages.
    """
    if asked.endpoint != "health.index":
        return False
    return asked.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def error_page(sentence: str, status: int) -> Response:
    """The sentence on a page."""
    response = make_response(render_template("error.html", sentence=sentence, status=status))
    response.status_code = status
    return response


def harden(asked: Request, response: Response) -> None:
    """Headers that keep the pages of others out; a response that has one already keeps it."""
    page = is_page(asked)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Content-Security-Policy", POLICY if page else "default-src 'none'")
    response.headers.setdefault("Cache-Control", "no-store")
    if page:
        response.headers.setdefault("Referrer-Policy", "same-origin")
        response.headers.setdefault("X-Frame-Options", "DENY")
