"""Requests to Label Studio. How are they signed, repeated, and what does a refusal say?

Two kinds of token exist: the legacy one goes out as it is; a personal access token is a JSON web token that buys a
short-lived one from ``/api/token/refresh``. Neither ever appears in an error. No redirect is followed: the token goes
to the address that was configured and nowhere else.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from backend.addresses import AddressError, origin, without_secrets
from backend.routes import is_media
from stvg_core.errors import StvgError
from stvg_core.text import clean

RETRIES = 3
ACCESS_LIFETIME_S = 240.0
"""A bought token lives 300 s; it is renewed a minute earlier."""

_SAFE = frozenset({"GET", "HEAD", "PUT", "PATCH", "DELETE"})
_CHUNK = 1 << 18
_BY_WHOM = (400, 404, 405)
"""Label Studio's own refusals of these kinds are JSON. A proxy's would be taken for "this task is gone"."""
_NOISE = ("id", "status_code", "version", "exc_info")


class LabelStudioError(StvgError):
    """Label Studio cannot be reached, or refuses.

    Attributes:
        status: HTTP status, None where no answer came.
        temporary: nothing is said against the request itself, which may succeed later (no answer, 429, 5xx, or
            something that is not Label Studio answers at its address).
    """

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.temporary = status is None or status == 429 or status >= 500


class NotLabelStudio(LabelStudioError):
    """The address leads elsewhere: a redirect, a log-in page, an empty answer. A person mends the address."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message, status)
        self.temporary = True


class Transport:
    """A thin layer over httpx: one address, one token, bounded retries.

    Args:
        url: Label Studio's address, with a path where it lives under one.
        token: legacy token or personal access token.
        timeout: seconds for each request.
        transport: another httpx transport, for tests.
        pause: seconds before the first repetition; each further one waits twice as long.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout: float = 30.0,
        transport: httpx.BaseTransport | None = None,
        pause: float = 0.5,
    ) -> None:
        try:
            origin(url)
        except AddressError:
            raise LabelStudioError(
                f"{url!r} is no address of a Label Studio; it looks like http://127.0.0.1:8080.", 400
            ) from None
        if not token or not token.isascii() or any(c.isspace() for c in token):
            raise LabelStudioError("The Label Studio token is empty or has spaces in it; copy it from Account.", 401)
        self.url = url.rstrip("/")
        self._token = token
        self.token_is_personal = token.count(".") == 2
        self._access = ""
        self._access_until = 0.0
        self._pause = pause
        self._http = httpx.Client(timeout=timeout, transport=transport, follow_redirects=False)

    def close(self) -> None:
        self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        params: dict[str, Any] | None = None,
        timeout: float | None = None,
        expect: type | None = None,
    ) -> Any:
        """One call of the API; its decoded JSON body.

        Args:
            expect: the type of the answer; None where Label Studio answers with status 204 and no body.

        Raises:
            NotLabelStudio: a redirect, a page, or no body where there should be one.
            LabelStudioError: no answer, or a refusal.
        """
        response = self._send(method, path, body, params=params, timeout=timeout)
        if response.status_code in _BY_WHOM and not _is_json(response):
            raise NotLabelStudio(
                f"Label Studio at {self.url} answered {response.status_code} to {path} with {_instead(response)}, as "
                "something in front of it does. Is the address right, its path and http or https included?"
            )
        self._check(response, method, path)
        if expect is None and response.status_code == 204:
            return None
        answer = response.json() if _is_json(response) else None
        if not isinstance(answer, expect or (dict, list)):
            raise NotLabelStudio(
                f"What answers at {self.url} is not Label Studio: {path} gave {_instead(response)}. Is the address "
                "right, and does something in front of it ask for a log-in of its own?"
            )
        return answer

    def download(self, url: str, file: BinaryIO, *, max_bytes: int | None = None) -> int:
        """Stream one of Label Studio's own files into ``file``; the number of bytes written.

        ``url`` may be relative, as in ``/data/upload/...``. An address elsewhere, or one that gives out no media, is
        refused: it would get the token.
        """
        full = urljoin(self.url + "/", url)
        path = urlsplit(full).path
        if origin(full) != origin(self.url):
            raise LabelStudioError(
                f"{without_secrets(full)} is not Label Studio's own address; the file is not fetched.", 400
            )
        if not is_media(path.removeprefix(urlsplit(self.url).path)):
            raise LabelStudioError(f"{path} is no place of Label Studio's from which files are fetched.", 400)
        with self._connecting(), self._http.stream("GET", full, headers=self.auth_headers()) as response:
            if response.status_code >= 300:
                response.read()
            self._check(response, "GET", path)
            written = 0
            for chunk in response.iter_bytes(_CHUNK):
                written += len(chunk)
                if max_bytes is not None and written > max_bytes:
                    raise LabelStudioError(f"The file at {urlsplit(full).path} is larger than {max_bytes} bytes.", 413)
                file.write(chunk)
        return written

    def _send(
        self, method: str, path: str, body: Any, *, params: dict[str, Any] | None, timeout: float | None
    ) -> httpx.Response:
        """Send, renewing a bought token once, and repeating what may be repeated."""
        # Escaped as ASCII: a task's data go back with every half character that they came with.
        content = None if body is None else json.dumps(body).encode()
        kind = {} if body is None else {"Content-Type": "application/json"}
        limit: Any = httpx.USE_CLIENT_DEFAULT if timeout is None else timeout
        renewed = False
        for attempt in range(RETRIES + 1):
            last = attempt == RETRIES
            try:
                with self._connecting():
                    response = self._http.request(
                        method, self.url + path, headers={**self.auth_headers(), **kind}, content=content,
                        params=params, timeout=limit,
                    )  # fmt: skip
            except _NotSent:
                if last:
                    raise
            except LabelStudioError as error:
                if last or method not in _SAFE or not error.temporary:
                    raise
            else:
                if response.status_code == 401 and self.token_is_personal and not renewed:
                    self._access, renewed = "", True
                    continue
                may_repeat = response.status_code in (429, 502, 503, 504) or response.status_code >= 500
                if not may_repeat or method not in _SAFE or last:
                    return response
            time.sleep(self._pause * 2**attempt)
        raise LabelStudioError(f"Label Studio at {self.url} does not accept the token.", 401)

    def auth_headers(self) -> dict[str, str]:
        """The header that signs a request, with a bought token renewed where its time is up."""
        if not self.token_is_personal:
            return {"Authorization": f"Token {self._token}"}
        if not self._access or time.monotonic() >= self._access_until:
            self._access = self._buy_access()
            self._access_until = time.monotonic() + ACCESS_LIFETIME_S
        return {"Authorization": f"Bearer {self._access}"}

    def _buy_access(self) -> str:
        path = "/api/token/refresh"
        with self._connecting():
            response = self._http.post(self.url + path, json={"refresh": self._token})
        self._check(response, "POST", path)
        try:
            return str(response.json()["access"])
        except (ValueError, KeyError, TypeError, RecursionError):
            raise NotLabelStudio(f"What answers at {self.url} is not Label Studio: it buys no token.") from None

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        """Turn httpx's failures into sentences. Their texts hold no header, and ours are our own anyway."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise _NotSent(
                f"Label Studio at {self.url} cannot be reached. Is it running, is the address right?"
            ) from None
        except httpx.TimeoutException:
            raise LabelStudioError(f"Label Studio at {self.url} does not answer in time.") from None
        except httpx.HTTPError as error:
            raise LabelStudioError(f"The connection to {self.url} broke ({type(error).__name__}).") from None

    def _check(self, response: httpx.Response, method: str, path: str) -> None:
        if 300 <= response.status_code < 400:
            raise NotLabelStudio(self._redirected(response, path), response.status_code)
        if response.status_code >= 400:
            raise self._refusal(response, method, path)

    def _redirected(self, response: httpx.Response, path: str) -> str:
        """Where it leads, and what to do: the address without the call's own path is what should be configured."""
        try:
            target = without_secrets(urljoin(self.url + path, response.headers.get("location", "")))
            elsewhere = origin(target) != origin(self.url)
        except (AddressError, ValueError):
            return f"Label Studio at {self.url} answered {response.status_code} to {path} and does not say where to go."
        if "/user/login" in target:
            return (
                f"Label Studio at {self.url} asks for a log-in at {path} instead of taking the token. Copy the token "
                "again from Account & Settings."
            )
        asked, led = path.rstrip("/"), target.rstrip("/")
        if led.endswith(asked) and (elsewhere or led != self.url + asked):
            led = led.removesuffix(asked)
            return f"Label Studio at {self.url} redirects to {led}: use that address (STVG_LABEL_STUDIO_URL)."
        return (
            f"What answers at {self.url} redirects {path} to {target}, which is not followed. Use Label Studio's own "
            "address (STVG_LABEL_STUDIO_URL)."
        )

    def _refusal(self, response: httpx.Response, method: str, path: str) -> LabelStudioError:
        status = response.status_code
        if status == 401:
            return LabelStudioError(
                f"Label Studio at {self.url} does not accept the token. Copy it again from Account & Settings; legacy "
                "tokens must be allowed in the organisation's settings.",
                status,
            )
        said = self._clean(_reason(response))
        if status == 403:
            return LabelStudioError(f"Label Studio does not allow {method} {path} to this user{said}.", status)
        if status == 404:
            return LabelStudioError(f"Label Studio has nothing at {path}{said}.", status)
        return LabelStudioError(f"Label Studio answered {status} to {method} {path}{said}.", status)

    def _clean(self, text: str) -> str:
        for secret in (self._token, self._access):
            if secret:
                text = text.replace(secret, "***")
        return f": {text[:400].rstrip('. ')}" if text else ""


class _NotSent(LabelStudioError):
    """No connection was made, so even a request that must not be doubled may be repeated."""


def _is_json(response: httpx.Response) -> bool:
    try:
        response.json()
    except (ValueError, RecursionError):  # nested too deeply to be read is no answer of Label Studio's
        return False
    return True


def _instead(response: httpx.Response) -> str:
    """What came in the place of JSON, for a sentence."""
    if not response.content:
        return f"an empty answer (status {response.status_code})"
    if "html" in response.headers.get("content-type", "") or response.content.lstrip()[:1] == b"<":
        title = re.search(r"<title[^>]*>([^<]{1,80})", response.text, re.IGNORECASE)
        return "a page" + (f' ("{clean(title[1])}")' if title else "") + " instead of JSON"
    return "no JSON of the expected kind"


def _reason(response: httpx.Response) -> str:
    """The sentences inside Label Studio's error body; HTML pages and tracebacks say nothing to a person."""
    try:
        body = response.json()
    except (ValueError, RecursionError):
        return ""
    if isinstance(body, dict):
        body = body.get("validation_errors") or body.get("detail") or {k: v for k, v in body.items() if k not in _NOISE}
    sentences = list(_sentences(body))
    return "; ".join(dict.fromkeys(re.sub(r"<[^>]+>", "", sentence).strip() for sentence in sentences))


def _sentences(body: Any, field: str = "") -> Iterator[str]:
    """Label Studio nests its reasons in lists and objects by field."""
    if isinstance(body, dict):
        for name, value in body.items():
            yield from _sentences(value, "" if name in ("non_field_errors", "detail") else str(name))
    elif isinstance(body, list):
        for value in body:
            yield from _sentences(value, field)
    elif isinstance(body, str) and body:
        yield f"{field}: {body}" if field else body
