"""What does the browser keep of a log-in? A signed cookie that names the account and its session key.

The cookie is not secret from its owner and cannot be changed by anybody. It ends a fixed time after the log-in.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta

from flask import Flask, request, session
from flask.sessions import SecureCookieSessionInterface
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.db.tables import Account
from backend.http.signing_key import signing_key
from backend.settings import Settings


@dataclass(frozen=True)
class Held:
    """What a valid cookie says; whether the key is still the account's is for the database to say."""

    account_id: int
    session_key: str


class _Cookie(SecureCookieSessionInterface):
    """``Secure`` exactly where the request came by https."""

    def get_cookie_secure(self, app: Flask) -> bool:
        return request.is_secure


def install(app: Flask, settings: Settings) -> None:
    """Sign cookies; believe as many proxies as the settings say."""
    app.secret_key = signing_key(settings)
    app.config.update(
        SESSION_COOKIE_NAME="stvg_session",  # cookies are shared by all ports of a host: Label Studio is another
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_REFRESH_EACH_REQUEST=False,
        PERMANENT_SESSION_LIFETIME=timedelta(hours=settings.session_hours),
    )
    app.session_interface = _Cookie()
    if settings.trusted_proxies:
        n = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=n, x_proto=n, x_host=n)  # type: ignore[method-assign]


def begin(account: Account, lifetime: timedelta) -> None:
    """Log in. Nothing that the browser brought along is kept, so nobody can prepare a session for somebody else."""
    session.clear()
    session.permanent = True
    session["account"], session["key"] = account.id, account.session_key
    session["ends"] = time.time() + lifetime.total_seconds()


def end() -> None:
    """Log out: this browser forgets."""
    session.clear()


def held() -> Held | None:
    """What the cookie of the present request says; None without a log-in, or when its time is over."""
    account_id, key, ends = session.get("account"), session.get("key"), session.get("ends")
    if not isinstance(account_id, int) or not isinstance(key, str) or not isinstance(ends, int | float):
        return None
    return Held(account_id, key) if time.time() < ends else None
