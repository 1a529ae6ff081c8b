"""A client of any OpenAI-compatible ``/v1/chat/completions``: vLLM, llama.cpp, Ollama or a hosted service.

The key goes to that one address only (redirects are not followed) and appears in no error, log line or ``repr``.
"""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from backend.language.costs import Costs
from stvg_core.chat.base import ChatError

RETRIES = 2
"""Repetitions after a request that may succeed later: no connection, a time-out, 429 or 5xx."""

LONGEST_PAUSE_S = 10.0
"""An endpoint that asks for a longer pause (``Retry-After``) is given up for this sentence."""

MAX_ANSWER_BYTES = 1 << 20
_PATH = "/chat/completions"
_WANTED = ("max_completion_tokens", "temperature")
"""What refusals of newer hosted models name: another word for the limit of tokens, no temperature but their own."""


class EndpointError(ChatError):
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
        longest_pause: an endpoint that asks for a longer one is given up for this question.
        retries: so many repetitions at most.
        parallel: so many requests are under way at once, at most, from all threads.

    Raises:
        EndpointError: no http address, a password in it, no model name, or a key that no header can hold.
    """

    def __init__(
        self, url: str, model: str, key: str | None = None, *, timeout: float = 30.0, deadline: float = 90.0,
        pause: float = 0.5, longest_pause: float = LONGEST_PAUSE_S, retries: int = RETRIES, parallel: int = 4,
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
        self._deadline, self._pause, self._longest, self._retries = deadline, pause, longest_pause, retries
        self._free = threading.BoundedSemaphore(parallel)
        self.costs = Costs()
        self._http = httpx.Client(timeout=timeout, follow_redirects=False)
        self._plain = threading.Event()  # set once the endpoint has refused response_format
        self._other: set[str] = set()  # what it wants in another way, of _WANTED

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
            reply = self._exchange(body | {"response_format": {"type": "json_object"}}, until)
            if reply.status not in (400, 422):
                return self._text(reply)
        reply = self._exchange(body, until)
        if 200 <= reply.status < 300:
            self._plain.set()  # the format was the reason, so it is left out from now on
        return self._text(reply)

    def ask(self, content: list[dict[str, Any]], max_tokens: int, pictures: int = 0) -> str:
        """The same for a message of several parts, some of them pictures; no form of the reply is asked for.

        Args:
            content: parts as the protocol has them.
            pictures: how many of them there are, for the count.

        Raises: as :meth:`complete`.
        """
        body = {
            "model": self.model, "messages": [{"role": "user", "content": content}], "temperature": 0,
            "max_tokens": max_tokens,
        }  # fmt: skip
        return self._text(self._exchange(body, time.monotonic() + self._deadline, pictures))

    def _exchange(self, body: dict[str, Any], until: float, pictures: int = 0) -> _Reply:
        """The reply to a request in the spelling that the endpoint takes; once it has named another one, in that."""
        while True:
            said = dict(body)
            if "max_completion_tokens" in self._other:
                said["max_completion_tokens"] = said.pop("max_tokens")
            if "temperature" in self._other:
                del said["temperature"]
            reply = self._send(said, until, pictures)
            new = {name for name in _WANTED if name.encode() in reply.content} - self._other
            if reply.status != 400 or not new or b"upport" not in reply.content:  # "Unsupported", "does not support"
                return reply
            self._other |= new

    def _send(self, body: dict[str, Any], until: float, pictures: int = 0) -> _Reply:
        """The last reply to at most ``retries + 1`` requests. None is under way during a pause."""
        attempt = 0
        while True:
            with self._free:
                self.costs.sent(pictures, again=attempt > 0)
                reply = self._post(body, until)
            pause = max(self._pause * 2**attempt, reply.wait)
            late = pause > self._longest or time.monotonic() + pause > until
            if not reply.temporary or attempt == self._retries or late:
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
                wait = _wait(after)
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
        if reply.status == 404 and self._is_about_the_model(reply.content):
            raise EndpointError(
                f"{self._shown} has no model {self.model!r} (404). Look at the name that is used there."
            )
        if reply.status == 404:
            raise EndpointError(
                f"{self._shown} has no model {self.model!r}, or is no chat completion address (404). An address is "
                "expected that ends in /v1 or in /v1/chat/completions, such as http://127.0.0.1:8000/v1."
            )
        if 300 <= reply.status < 400:
            raise EndpointError(
                f"The language model at {self._shown} answered {reply.status}: it is elsewhere. Set the address that "
                "it leads to; redirects are not followed, because the key would go along."
            )
        if reply.status in (400, 413, 422):
            raise EndpointError(
                f"The language model at {self._shown} refuses the request ({reply.status}). Does {self.model!r} take "
                "pictures, and so many? Fewer (shown_most) or smaller ones (shown_side) take less of its context."
            )
        if not 200 <= reply.status < 300:
            raise EndpointError(f"The language model at {self._shown} answered {reply.status}.")
        try:
            found = json.loads(reply.content)
            self.costs.used(found.get("usage"))
            first = found["choices"][0]
            text, ended = _words(first["message"]["content"]), first.get("finish_reason")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            text, ended = None, None
        if text is None:
            cut = " It ended at its limit of tokens before it said anything." if ended == "length" else ""
            raise EndpointError(
                f"What answers at {self._shown} is no OpenAI-compatible chat completion with a text in it.{cut}"
            )
        return text

    def _is_about_the_model(self, content: bytes) -> bool:
        """Does a refusal say that there is no such model? Its words are not shown to anybody."""
        try:
            said = json.loads(content)
        except (ValueError, RecursionError):
            return False
        return self.model in json.dumps(said, ensure_ascii=False) or "model_not_found" in json.dumps(said)

    @property
    def _shown(self) -> str:
        """The address without its query, which may hold a key."""
        return urlunsplit(urlsplit(self._url)._replace(query=""))


def _words(content: Any) -> str | None:
    """The text of a message, which some servers give in parts; None where there is none."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict) and part.get("type") == "text"]
        return "".join(part for part in parts if isinstance(part, str)) if parts else None
    return content if isinstance(content, str) else None


def _wait(after: str) -> float:
    """Seconds of a Retry-After header: a number of them, or a date; 0 where it is neither."""
    if after.isascii() and after.strip().isdecimal():
        return float(after)
    try:
        moment = parsedate_to_datetime(after)
    except (TypeError, ValueError):
        return 0.0
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


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
