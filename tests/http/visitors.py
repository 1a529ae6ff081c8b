"""People at the pages: accounts, log-ins and forms, for the tests of the pages."""

from __future__ import annotations

import re

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from backend.db import accounts
from backend.db.engine import Database

PASSWORD = "correct horse battery"
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


def an_account(database: Database, name: str = "ann", role: str = "admin", *, ls_user_id: int | None = None) -> int:
    """An account with :data:`PASSWORD`; returns its row."""
    with database.write() as session:
        return accounts.add(session, name, PASSWORD, role, ls_user_id=ls_user_id).id


def token(web: FlaskClient) -> str:
    """The token of this client's session."""
    web.get("/login")
    with web.session_transaction() as session:
        return str(session["csrf"])


def token_in(page: str) -> str:
    """The token that a page's own form sends."""
    found = re.search(r'name="csrf_token" value="([^"]+)"', page)
    assert found is not None
    return found[1]


def post(web: FlaskClient, path: str, **fields: object) -> TestResponse:
    """Send a form as its page would, with the token."""
    with web.session_transaction() as session:
        known = session.get("csrf")
    return web.post(path, data={"csrf_token": known or token(web), **fields}, headers=HTML)


def log_in(web: FlaskClient, name: str = "ann", password: str = PASSWORD, **fields: object) -> TestResponse:
    """Fill in the log-in form. A right password makes a new session with a new token, fetched by one more look."""
    response = post(web, "/login", name=name, password=password, **fields)
    if response.status_code == 303:
        web.get("/review/export", headers=HTML)
    return response
