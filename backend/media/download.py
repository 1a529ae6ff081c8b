"""How is a remote video fetched without being led astray?

Each hop of a redirect is checked like the first address. Label Studio's token goes to Label Studio's origin alone.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from backend.media.address import Resolver, resolve, vet
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.source import origin, shown

_CHUNK = 1 << 20
_MAX_HOPS = 5
_REFUSED = {401: "it needs a log-in", 403: "access is forbidden", 404: "it is not there", 410: "it is gone"}


@dataclass
class Downloader:
    """Streams an address into an open file.

    Attributes:
        label_studio_url: its origin may be private, and gets ``label_studio_headers()``.
        allowed_origins: further origins that may be private.
        max_bytes, timeout_s, deadline_s: of one video; per network operation; for the whole transfer.
        resolver, transport: replaced in tests.
    """

    label_studio_url: str | None = None
    label_studio_headers: Callable[[], Mapping[str, str]] = dict
    allowed_origins: list[str] = field(default_factory=list)
    max_bytes: int = 4 << 30
    timeout_s: float = 30.0
    deadline_s: float = 1800.0
    resolver: Resolver = resolve
    transport: httpx.BaseTransport | None = None

    def fetch(self, url: str, file: BinaryIO) -> tuple[str, int]:
        """Write the body to ``file``; returns its sha256 in hex and its size in bytes.

        Raises:
            MediaUnavailable: no answer, an answer cut short, or a server's own fault (5xx).
            MediaError: everything that would not change by asking again.
        """
        until = time.monotonic() + self.deadline_s
        try:
            with httpx.Client(timeout=self.timeout_s, trust_env=False, transport=self.transport) as client:
                for _ in range(_MAX_HOPS):
                    with closing(client.send(self._request(client, url), stream=True)) as response:
                        if not response.has_redirect_location:
                            self._check_status(url, response)
                            return self._copy(url, response, file, until)
                        url = self._next(url, response)
        except httpx.InvalidURL:
            raise MediaError("The video's address is not a usable address.") from None
        except httpx.TimeoutException:
            raise MediaUnavailable(f"{shown(url)} did not answer in time.") from None
        except httpx.TransportError as error:
            raise MediaUnavailable(f"{shown(url)} cannot be read: {type(error).__name__}.") from None
        raise MediaError(f"{shown(url)} redirects more than {_MAX_HOPS} times.")

    def _request(self, client: httpx.Client, url: str) -> httpx.Request:
        """Address, headers and TLS name of one hop, after the host was checked."""
        here = origin(url)
        scheme, host, port = here
        if scheme not in ("http", "https") or not host:
            raise MediaError("The video's address does not lead to an http(s) host.")
        headers = {"Accept-Encoding": "identity"}
        if self.label_studio_url is not None and here == origin(self.label_studio_url):
            return client.build_request("GET", url, headers={**headers, **self.label_studio_headers()})
        if here in [origin(allowed) for allowed in self.allowed_origins]:
            return client.build_request("GET", url, headers=headers)
        address = vet(host, port, self.resolver)
        target = httpx.URL(url).copy_with(host=address)
        headers["Host"] = urlsplit(url).netloc.rpartition("@")[2]
        return client.build_request("GET", target, headers=headers, extensions={"sni_hostname": host})

    def _next(self, url: str, response: httpx.Response) -> str:
        following = urljoin(url, response.headers["location"])
        if self.label_studio_url and origin(url) == origin(self.label_studio_url) and "/user/login" in following:
            raise MediaError(
                "Label Studio asks for a log-in to give out the video. STVG_LABEL_STUDIO_TOKEN is missing or not valid."
            )
        return following

    def _check_status(self, url: str, response: httpx.Response) -> None:
        code = response.status_code
        if code == 200:
            length = response.headers.get("content-length", "")
            if length.isdigit() and int(length) > self.max_bytes:
                raise self._too_large(url)
            return
        if code >= 500 or code in (408, 425, 429):
            raise MediaUnavailable(f"{shown(url)} answered {code}: the server has a problem at present.")
        raise MediaError(f"{shown(url)} answered {code}: {_REFUSED.get(code, 'the video is not given out')}.")

    def _copy(self, url: str, response: httpx.Response, file: BinaryIO, until: float) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        for chunk in response.iter_bytes(_CHUNK):
            size += len(chunk)
            if size > self.max_bytes:
                raise self._too_large(url)
            if time.monotonic() > until:
                raise MediaUnavailable(f"{shown(url)} was not complete after {self.deadline_s:.0f} s.")
            digest.update(chunk)
            file.write(chunk)
        return digest.hexdigest(), size

    def _too_large(self, url: str) -> MediaError:
        return MediaError(
            f"{shown(url)} is larger than {self.max_bytes / (1 << 20):.0f} MiB. Shorten the video or raise "
            "STVG_MAX_VIDEO_BYTES."
        )
