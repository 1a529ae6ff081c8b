"""How is a remote video fetched without being led astray?

Each hop of a redirect is checked like the first address. Label Studio's token goes to the media routes of its
configured address alone: not to its other paths, not to its other names, not to the signed address of an object.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import httpx

from backend.addresses import AddressError, origin, safe_name
from backend.media.address import Resolver, resolve, vet
from backend.media.errors import MediaError, MediaUnavailable
from backend.media.label_studio import LabelStudioPlace
from backend.media.source import shown
from backend.media.watch import Alive, TooLate, Watch, WatchedTransport
from backend.routes import is_media, is_static, prefix_of_file, stored_owner

_MAX_HOPS = 5
FOLLOW_REDIRECTS = False
"""The HTTP library would go where it is led; here each hop is checked first."""
_NO_VIDEO = ("text/html", "application/xhtml+xml", "application/json")
_COMPRESSED = ("gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
_REFUSED = {401: "it needs a log-in", 403: "access is forbidden", 404: "it is not there", 410: "it is gone"}
_REFUSED_OBJECT = {
    401: "STVG_LABEL_STUDIO_TOKEN is missing or not valid",
    403: "the token's user may not see the task's project",
    404: "no storage of the task's project holds it. Connect its bucket in the project's Cloud Storage settings",
    424: "its storage cannot be read. Check the storage in the project's Cloud Storage settings",
}
"""What Label Studio's storage proxy means by a status."""


@dataclass
class Downloader:
    """Streams an address into an open file.

    Attributes:
        label_studio_url: its origin may be private, and its media routes get ``label_studio_headers()``.
        label_studio_aliases: its other names, asked each time because more are learnt.
        allowed_origins: further origins that may be private.
        max_bytes, timeout_s, deadline_s: of one video; without a byte; for the whole transfer, whatever comes.
        refused_kinds: what a server calls an answer that is not what is wanted.
        resolver, transport: replaced in tests.
    """

    label_studio_url: str | None = None
    label_studio_headers: Callable[[], Mapping[str, str]] = dict
    label_studio_aliases: Callable[[], Sequence[str]] = tuple
    allowed_origins: list[str] = field(default_factory=list)
    max_bytes: int = 4 << 30
    timeout_s: float = 30.0
    deadline_s: float = 1800.0
    refused_kinds: tuple[str, ...] = _NO_VIDEO
    resolver: Resolver = resolve
    transport: httpx.BaseTransport | None = None

    @property
    def place(self) -> LabelStudioPlace:
        """Label Studio under all of its names. An origin that a person allowed stays what it is."""
        allowed = [origin(name) for name in self.allowed_origins]
        aliases = tuple(name for name in self.label_studio_aliases() if origin(name) not in allowed)
        return LabelStudioPlace(self.label_studio_url, aliases)

    def fetch(self, url: str, file: BinaryIO, alive: Alive | None = None) -> tuple[str, int]:
        """Write the body to ``file``; returns its sha256 in hex and its size in bytes.

        Args:
            alive: called several times a second; what it raises ends the transfer at once.

        Raises:
            MediaUnavailable: no answer, an answer cut short, or a server's own fault (5xx).
            MediaError: everything that would not change by asking again.
        """
        watch = Watch(self.deadline_s, alive)
        transport = self.transport or WatchedTransport(watch)
        try:
            with httpx.Client(
                timeout=self.timeout_s, trust_env=False, transport=transport, follow_redirects=FOLLOW_REDIRECTS
            ) as client:
                for _ in range(_MAX_HOPS):
                    with closing(self._send(client, url, watch)) as response:
                        if not response.has_redirect_location:
                            self._check_status(url, response)
                            return self._copy(client, url, response, file, watch)
                        url = self._next(url, response)
        except TooLate:
            raise MediaUnavailable(f"{shown(url)} was not complete after {self.deadline_s:g} s.") from None
        except httpx.InvalidURL:
            raise MediaError("The video's address is not a usable address.") from None
        except httpx.TimeoutException:
            raise MediaUnavailable(f"{shown(url)} did not answer in time.") from None
        except httpx.TransportError as error:
            raise MediaUnavailable(f"{shown(url)} cannot be read: {type(error).__name__}.") from None
        raise MediaError(f"{shown(url)} redirects more than {_MAX_HOPS} times.")

    def _send(
        self, client: httpx.Client, url: str, watch: Watch, more: Mapping[str, str] = MappingProxyType({})
    ) -> httpx.Response:
        """Ask for one hop, with ``more`` headers: at the host's next address where nobody answers at one.

        A name often has an address of IPv6 too, which not every network reaches.
        """
        *others, last = self._requests(client, url, watch)
        for request in others:
            request.headers.update(more)
            with suppress(httpx.ConnectError, httpx.ConnectTimeout):
                return client.send(request, stream=True)
        last.headers.update(more)
        return client.send(last, stream=True)

    def _requests(self, client: httpx.Client, url: str, watch: Watch) -> list[httpx.Request]:
        """Address, headers and TLS name of one hop, after the host was checked: one for each of its addresses."""
        try:
            here = origin(url)
        except AddressError as error:
            raise MediaError(f"The video's address cannot be used: {error}") from None
        scheme, host, port = here
        headers = {"Accept-Encoding": "identity"}
        if self._takes_token(url):
            return [client.build_request("GET", url, headers={**headers, **self.label_studio_headers()})]
        if here in [origin(allowed) for allowed in self.allowed_origins] or self._is_static(url):
            return [client.build_request("GET", url, headers=headers)]
        if self.place.below(url) is not None:
            raise MediaError(
                f"{shown(url)} lies in Label Studio, but not where it gives out files (/data/upload/, "
                "/data/local-files/, its storages), so it is not fetched."
            )
        try:
            addresses = watch.within(lambda: vet(host, port, self.resolver, scheme=scheme))
        except MediaUnavailable:
            raise
        except MediaError as error:
            raise MediaError(f"{error}{_other_name(url)}") from None
        headers["Host"] = urlsplit(url).netloc.rpartition("@")[2]
        name = {"sni_hostname": host}
        return [client.build_request("GET", pinned(url, one), headers=headers, extensions=name) for one in addresses]

    def _takes_token(self, url: str) -> bool:
        below = self.place.below_configured(url)
        return below is not None and is_media(below.partition("?")[0])

    def _is_static(self, url: str) -> bool:
        below = self.place.below_configured(url)
        return below is not None and is_static(below.partition("?")[0])

    def _next(self, url: str, response: httpx.Response) -> str:
        try:
            following = urljoin(url, response.headers["location"])
            moved = origin(following) != origin(url)
        except (AddressError, ValueError):
            raise MediaError(f"{shown(url)} redirects to something that is no http(s) address.") from None
        if not self._takes_token(url) and "/user/login" in following and _other_name(url):
            raise MediaError(f"{shown(url)} asks for a log-in.{_other_name(url)}")
        if self._takes_token(url):
            if "/user/login" in following:
                raise MediaError(
                    "Label Studio asks for a log-in to give out the video. STVG_LABEL_STUDIO_TOKEN is missing or not "
                    "valid."
                )
            asked, led = urlsplit(url), urlsplit(following)
            if moved and led.path.endswith(asked.path) and led.query == asked.query:
                name = shown(following).removesuffix(asked.path)
                raise MediaError(f"Label Studio redirects to {name}: use that address (STVG_LABEL_STUDIO_URL).")
        return following

    def _check_status(self, url: str, response: httpx.Response) -> None:
        code = response.status_code
        if code == 200:
            _refuse_compressed(url, response)
            _refuse_page(url, response, self.refused_kinds)
            length = response.headers.get("content-length", "")
            if length.isdigit():
                self._refuse_more(url, int(length))
            return
        if may_pass(code):
            raise MediaUnavailable(f"{shown(url)} answered {code}: the server has a problem at present.")
        below = self.place.below_configured(url) if self._takes_token(url) else None
        if below is not None and stored_owner(below.partition("?")[0]) is not None and code in _REFUSED_OBJECT:
            raise MediaError(f"Label Studio answered {code} when asked for the object: {_REFUSED_OBJECT[code]}.")
        advice = "" if self._takes_token(url) or code not in (401, 403) else _other_name(url)
        raise MediaError(f"{shown(url)} answered {code}: {_REFUSED.get(code, 'the video is not given out')}.{advice}")

    def _copy(
        self, client: httpx.Client, url: str, response: httpx.Response, file: BinaryIO, watch: Watch
    ) -> tuple[str, int]:
        """Write the body; what Label Studio ends early is continued where it ended, as long as more comes."""
        digest, size = hashlib.sha256(), 0
        total, mark = _total(response), response.headers.get("etag")
        while True:
            before = size
            try:
                for chunk in response.iter_bytes():
                    size += len(chunk)
                    self._refuse_more(url, size)
                    watch.look()
                    digest.update(chunk)
                    file.write(chunk)
            except httpx.TransportError:
                if size == before or not self._takes_token(url):
                    raise
            else:
                if total is None or size == total:
                    break
                if size > total:
                    raise MediaUnavailable(f"{shown(url)} said that it has {total} bytes, and gave {size}.")
                if size == before or not self._takes_token(url):
                    raise MediaUnavailable(f"{shown(url)} ended after {size} of {total} bytes.")
            response.close()
            response = self._continued(client, url, size, mark, watch)
            _refuse_another(url, total, response)
            total = _total(response)
        response.close()
        _refuse_nothing(url, size)
        return digest.hexdigest(), size

    def _continued(self, client: httpx.Client, url: str, size: int, mark: str | None, watch: Watch) -> httpx.Response:
        """The rest of a file from byte ``size`` on. Label Studio's proxy stops after 20 s and gives parts of 8 MiB."""
        response = self._send(client, url, watch, {"Range": f"bytes={size}-"})
        place = _RANGE.fullmatch(response.headers.get("content-range", ""))
        same = mark is None or response.headers.get("etag") == mark
        _refuse_compressed(url, response)
        if response.status_code != 206 or place is None or int(place[1]) != size or not same:
            response.close()
            raise MediaUnavailable(f"{shown(url)} ended after {size} bytes and cannot be continued.")
        return response

    def _refuse_more(self, url: str, size: int) -> None:
        """Raises MediaError where so many bytes are too many, said or come."""
        if size > self.max_bytes:
            raise MediaError(
                f"{shown(url)} is larger than {self.max_bytes / (1 << 20):.0f} MiB. Shorten the video or raise "
                "STVG_MAX_VIDEO_BYTES."
            )


def pinned(url: str, address: str) -> httpx.URL:
    """The same with the checked address in place of the name, which may answer differently when asked again."""
    return httpx.URL(url).copy_with(host=address)


def may_pass(status: int) -> bool:
    """Is this a state of the server, and not an answer about the video?"""
    return status >= 500 or status in (408, 425, 429)


def _refuse_compressed(url: str, response: httpx.Response) -> None:
    """A few bytes may unpack to any number, and were not asked for (``Accept-Encoding: identity``)."""
    coding = response.headers.get("content-encoding", "").lower()
    if any(word.strip() in _COMPRESSED for word in coding.split(",")):
        raise MediaError(
            f"{shown(url)} is sent compressed ({safe_name(coding)}), although a video gains nothing from it. Have the "
            "server give out the file as it is."
        )


def _refuse_page(url: str, response: httpx.Response, kinds: Sequence[str]) -> None:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in kinds:
        raise MediaError(
            f"{shown(url)} gave {kind} instead of a video: a log-in page, or a message. Open the address in a browser "
            "to read it."
        )


def _refuse_nothing(url: str, size: int) -> None:
    if size == 0:
        raise MediaError(f"{shown(url)} gave an empty file.")


def _refuse_another(url: str, total: int | None, response: httpx.Response) -> None:
    """Parts of two versions of a file are no video; not every server marks its versions."""
    if total is not None and _total(response) != total:
        response.close()
        raise MediaUnavailable(f"{shown(url)} changed while it was fetched.")


def _other_name(url: str) -> str:
    """Advice for an address that looks like Label Studio's and has none of the names that are known here."""
    parts = urlsplit(url)
    if not is_media(parts.path) and prefix_of_file(parts.path) is None:
        return ""
    name = shown(f"{parts.scheme}://{parts.netloc}{prefix_of_file(parts.path) or ''}")
    return f" If it is another name of your Label Studio, set STVG_LABEL_STUDIO_ALIASES={name}."


def _total(response: httpx.Response) -> int | None:
    """How large the file is, where the answer says what part of it follows."""
    place = _RANGE.fullmatch(response.headers.get("content-range", ""))
    return None if place is None else int(place[2])
