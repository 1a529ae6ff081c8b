"""Which program may ask? Basic credentials or a token, but on the open routes and the pages, which know people.

All comparisons take constant time.
"""

from __future__ import annotations

import hmac
import logging
import math
from dataclasses import dataclass

from flask import Flask, Request, Response, request
from pydantic import SecretStr

from backend.http import pages
from backend.http.errors import failure
from backend.http.throttle import Guesses
from backend.settings import Settings

logger = logging.getLogger(__name__)

OPEN = frozenset({"health.health", "health.ready"})
"""What programs may ask without credentials."""

_WEBHOOK = "webhook.webhook"


@dataclass(frozen=True)
class Guard:
    """Knows the credentials, and checks a request against them."""

    username: str | None
    password: str | None
    api_token: str | None
    webhook_token: str | None

    def admits(self, asked: Request) -> bool:
        """Is this caller known? The webhook's own token opens the webhook only."""
        tokens = [self.api_token]
        if asked.endpoint == _WEBHOOK:
            tokens.append(self.webhook_token)
        given = _token(asked)
        by_token = [_same(given, token) for token in tokens]
        return any(by_token) or self._by_password(asked)

    def _by_password(self, asked: Request) -> bool:
        credentials = asked.authorization
        if credentials is None or credentials.type != "basic":
            return False
        right_name = _same(credentials.username, self.username)
        right_password = _same(credentials.password, self.password)
        return right_name and right_password


def install(app: Flask, settings: Settings) -> None:
    """Check every request before anything else looks at it."""

    guard = Guard(
        username=settings.username,
        password=_clear(settings.password),
        api_token=_clear(settings.api_token),
        webhook_token=_clear(settings.webhook_token),
    )

    guesses = Guesses()

    @app.before_request
    def check() -> Response | None:
        if request.endpoint in OPEN or pages.is_page(request) or pages.is_visitor(request):
            return None
        if guard.admits(request):
            return None
        wait, too_many = guesses.wrong(request.remote_addr or "") if _shows_something(request) else (0.0, False)
        if too_many:
            logger.warning("too many wrong log-ins from %s: the next ones get 429 for a while", request.remote_addr)
        if wait:
            response = failure(f"Too many wrong log-ins. Try again in {math.ceil(wait / 60)} min.", 429)
            response.headers["Retry-After"] = str(math.ceil(wait))
            return response
        response = failure("The user name and password, or the token, are missing or wrong.", 401)
        response.headers["WWW-Authenticate"] = 'Basic realm="stvg"'
        return response


def _shows_something(asked: Request) -> bool:
    """Who shows no credentials guesses nothing."""
    return bool(asked.headers.get("X-STVG-Token") or asked.headers.get("Authorization"))


def _clear(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def _token(asked: Request) -> str | None:
    own = asked.headers.get("X-STVG-Token")
    if own is not None:
        return own
    kind, _, value = asked.headers.get("Authorization", "").partition(" ")
    return value.strip() if kind.lower() in ("token", "bearer") and value.strip() else None


def _same(given: str | None, expected: str | None) -> bool:
    """Equal, in a time that does not tell where they differ; False where either is missing."""
    if not given or not expected:
        return False
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), expected.encode("utf-8", "surrogatepass"))
