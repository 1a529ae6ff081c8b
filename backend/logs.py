"""How are logs written, and how do secrets stay out of them?

The formatter cleans the finished line, traceback included, so that no way of logging goes around it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable

HIDDEN = "[hidden]"
_SHAPES = [
    re.compile(r"(?i)(\b(?:basic|bearer|token)\s+)[A-Za-z0-9._~+/=-]{8,}"),
    re.compile(
        r"""(?ix) ( ["']? \b (?: access_token | refresh | password | secret | api_key | x-stvg-token | authorization
        | token | signature | x-amz-signature | x-amz-credential ) ["']? \s* [:=] \s* ["']? )
        (?! \s* (?: basic | bearer | token ) \s) [^\s"',;&}]+"""
    ),
    re.compile(r"(\w+://[^\s/:@]*:)[^\s/@]+(?=@)"),
]


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """``text`` without the given secrets and without anything that has the shape of a credential."""
    for secret in sorted(set(secrets), key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    for shape in _SHAPES:
        text = shape.sub(lambda match: match.group(1) + HIDDEN, text)
    return text


class RedactingFormatter(logging.Formatter):
    """A formatter whose lines hold no secret."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")
        self._secrets = [secret for secret in secrets if secret]

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record), self._secrets)


def configure_logging(level: str, secrets: Iterable[str]) -> None:
    """One handler on stderr for everything; HTTP clients, whose lines carry addresses, and Alembic only warn."""
    secrets = list(secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(secrets))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for existing in logging.getLogger("gunicorn.error").handlers:  # gunicorn keeps handlers of its own
        existing.setFormatter(RedactingFormatter(secrets))
    for name in ("httpx", "httpcore", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
