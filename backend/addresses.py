"""Addresses on the web. Which host and port are meant, and how is an address shown without what it may hide?"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit, urlunsplit

from stvg_core.errors import StvgError

DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int]


class AddressError(StvgError):
    """Not an http(s) address with a host, or its port is none."""


def origin(url: str) -> Origin:
    """``(scheme, host, port)`` in lower case, addresses in their shortest form. Raises AddressError."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise AddressError(f"{without_secrets(url)!r} is not a usable address.") from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS or not host or port == 0:
        raise AddressError(f"{without_secrets(url)!r} does not lead to an http(s) host.")
    return scheme, _plain_host(host), port or DEFAULT_PORTS[scheme]


def at_host(scheme: str, host: str, port: int) -> str:
    """``http://[::1]:9090``: an IPv6 address stands in brackets."""
    return f"{scheme}://{bracketed(host)}:{port}"


def bracketed(host: str) -> str:
    """A host as it stands in an address."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def without_secrets(url: str) -> str:
    """An address for a person: without query, fragment and credentials, which may hold secrets."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def safe_name(path: str) -> str:
    """A plain file name from a path: letters, digits, dot, dash, underscore; at most 80 characters."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", path.rstrip("/").rpartition("/")[2])
    return name.lstrip("._")[-80:] or "video"


def is_loopback(host: str) -> bool:
    """Does the name mean another machine on each machine?"""
    if host.lower().rstrip(".") == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_machine(one: Origin, other: Origin) -> bool:
    """The same scheme, host and port; ``localhost``, ``127.0.0.1`` and ``[::1]`` are one host."""
    return one == other or (one[0] == other[0] and one[2] == other[2] and is_loopback(one[1]) and is_loopback(other[1]))


def same_place(one: str, other: str) -> bool:
    """Do two addresses mean the same path of the same machine? A slash at the end makes no difference."""
    try:
        same = same_machine(origin(one), origin(other))
    except AddressError:
        return one == other
    return same and urlsplit(one).path.rstrip("/") == urlsplit(other).path.rstrip("/")


def _plain_host(host: str) -> str:
    try:
        return ipaddress.ip_address(host).compressed
    except ValueError:
        return host.lower()
