"""A client of any OpenAI-compatible ``/v1/chat/completions``: vLLM, llama.cpp, Ollama or a hosted service.

The key goes to that one address only (redirects are not followed) and appears in no error, log line or ``repr``.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from stvg_core.errors import StvgError

RETRIES = 2
"""Repetitions after a request that may succeed later: no connection, a time-out, 429 or 5xx."""

LONGEST_PAUSE_S = 10.0
"""An endpoint that asks for a longer pause (``Retry-After``) is given up for this sentence."""

MAX_ANSWER_BYTES = 1 << 20
_PATH = "/chat/completions"


class EndpointError(StvgError):
    """The language model's endpoint cannot be reached, refuses, or answers something else than a chat completion."""


@dataclass(frozen=True)
class _Reply:
    """What came back; status 0 means that nothing did, and ``reason`` why."""

    status: int
    content: bytes = b""
    wait: float = 0.0
    reason: str = ""

    @property
    def temporary(self) -> bool:
        return self.status in (0, 429) or self.status >= 500


class ChatEndpoint:
    """One model behind one address. :meth:`complete` is what ``AskingDecomposer`` asks.

    Args:
        url: the full address that ends in ``/chat/completions``, or the part before it (``http://host:8000/v1``; where
            there is no path at all, ``/v1`` is added).
        model: the model's name there.
        key: sent as a bearer token; None or empty where the endpoint wants none.
        timeout: seconds for connecting and for each read.
        deadline: seconds for one answer with all its repetitions.
        pause: seconds before the first repetition; each further one waits twice as long.

    Raises:
        EndpointError: no http address, a password in it, no model name, or a key that no header can hold.
    """

    def __init__(
        self, url: str, model: str, key: str | None = None, *, timeout: float = 30.0, deadline: float = 90.0,
        pause: float = 0.5,
    ) -> None:  # fmt: skip
        self._url = _address(url)
        self.model = model.strip()
        if not self.model:
            raise EndpointError("The language model behind the endpoint has no name; say which model to ask for.")
        key = (key or "").strip()
        if not key.isascii() or not key.isprintable() or " " in key:
            raise EndpointError(
                "The key of the language model's endpoint has characters that no key has; copy it again."
            )
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._deadline, self._pause = deadline, pause
        self._http = httpx.Client(timeout=timeout, follow_redirects=False)
        self._plain = threading.Event()  # set once the endpoint has refused response_format

    def __repr__(self) -> str:
        return f"ChatEndpoint({self._shown!r}, {self.model!r})"

    def close(self) -> None:
        self._http.close()

    def complete(self, prompt: str, max_tokens: int) -> str:
        """The text of the model's reply to one user message, at temperature 0.

        Args:
            prompt: the message.
            max_tokens: at most so many new tokens.

        Raises:
            EndpointError: no usable reply, not even after :data:`RETRIES` repetitions.
        """
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "user", "content": prompt}],
            "temperature": 0,
            "max_tokens": max_tokens,
        }
        until = time.monotonic() + self._deadline
        if not self._plain.is_set():
            reply = self._send(body | {"response_format": {"type": "json_object"}}, until)
            if reply.status not in (400, 422):
                return self._text(reply)
        reply = self._send(body, until)
        if 200 <= reply.status < 300:
            self._plain.set()  # the format was the reason, so it is left out from now on
        return self._text(reply)

    def _send(self, body: dict[str, Any], until: float) -> _Reply:
        """The last reply to at most ``RETRIES + 1`` requests."""
        attempt = 0
        while True:
            reply = self._post(body, until)
            pause = max(self._pause * 2**attempt, reply.wait)
            late = pause > LONGEST_PAUSE_S or time.monotonic() + pause > until
            if not reply.temporary or attempt == RETRIES or late:
                return reply
            time.sleep(pause)
            attempt += 1

    def _post(self, body: dict[str, Any], until: float) -> _Reply:
        content = b""
        try:
            with self._http.stream("POST", self._url, json=body, headers=self._headers) as response:
                for chunk in response.iter_bytes():
                    content += chunk
                    if len(content) > MAX_ANSWER_BYTES:
                        raise EndpointError(f"The answer of {self._shown} is too large to be a chat completion.")
                    if time.monotonic() > until:
                        raise EndpointError(f"The language model at {self._shown} does not answer in time.")
                after = response.headers.get("retry-after", "")
                wait = float(after) if after.isascii() and after.isdecimal() else 0.0
                return _Reply(response.status_code, content, wait)
        except httpx.HTTPError as error:
            # Its text may hold the address with its query; its kind says enough.
            return _Reply(0, reason=type(error).__name__)

    def _text(self, reply: _Reply) -> str:
        """The reply's text; bodies of refusals are not quoted, because they may repeat the request."""
        if reply.status == 0:
            raise EndpointError(
                f"The language model at {self._shown} cannot be reached ({reply.reason}). Is it running, is the "
                "address right?"
            )
        if reply.status in (401, 403):
            raise EndpointError(f"The language model at {self._shown} does not accept the key ({reply.status}).")
        if reply.status == 404:
            raise EndpointError(f"{self._shown} has no model {self.model!r}, or is no chat completion address (404).")
        if not 200 <= reply.status < 300:
            raise EndpointError(f"The language model at {self._shown} answered {reply.status}.")
        try:
            text = json.loads(reply.content)["choices"][0]["message"]["content"]
        except (ValueError, LookupError, TypeError, RecursionError):
            text = None
        if not isinstance(text, str):
            raise EndpointError(f"What answers at {self._shown} is no OpenAI-compatible chat completion.")
        return text

    @property
    def _shown(self) -> str:
        """The address without its query, which may hold a key."""
        return urlunsplit(urlsplit(self._url)._replace(query=""))


def _address(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in ("http", "https") and bool(httpx.URL(url.strip()).host) and parts.port != 0
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise EndpointError("The language model's address must look like http://host:8000/v1.")
    if parts.username is not None or parts.password is not None:
        raise EndpointError("The language model's address must not hold a name or password; give the key apart.")
    path = parts.path.rstrip("/")
    if not path.endswith(_PATH):
        path = (path or "/v1") + _PATH
    return urlunsplit(parts._replace(path=path, fragment=""))
