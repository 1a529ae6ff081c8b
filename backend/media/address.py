"""May this host be connected to, and at which addresses exactly?

A name is resolved once; every address of it must be public, and the connection goes to one that was checked, so that
a name cannot change its answer in between.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from backend.addresses import at_host
from backend.media.errors import MediaError, MediaUnavailable

Resolver = Callable[[str, int], list[str]]
IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_SPECIAL = ("192.0.0.0/24", "192.88.99.0/24", "fec0::/10", "3fff::/20", "64:ff9b:1::/48")
NEVER = [ipaddress.ip_network(block) for block in _SPECIAL]
"""Blocks for special use that the standard library (3.11) calls global."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def resolve(host: str, port: int) -> list[str]:
    """All addresses of a name, as text."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise MediaUnavailable(f"The host {host} cannot be found. Check the address of the video.") from None
    return list(dict.fromkeys(str(entry[4][0]).partition("%")[0] for entry in found))


def vet(host: str, port: int, resolver: Resolver = resolve, *, scheme: str = "http") -> list[str]:
    """The addresses of a public host, the preferred one first; :class:`MediaError` if any of them is not public."""
    addresses = resolver(host, port)
    if not addresses:
        raise MediaUnavailable(f"The host {host} has no address.")
    for address in addresses:
        if not is_public(ipaddress.ip_address(address)):
            raise MediaError(
                f"The video's host {host} is not on the public internet, so it is not contacted. If it is your own "
                f"file server or object store, allow it: STVG_MEDIA_ALLOWED_ORIGINS={at_host(scheme, host, port)}."
            )
    return addresses


def is_public(address: IpAddress) -> bool:
    """False for loopback, private, link-local, reserved and multicast, also where IPv6 only wraps such an IPv4."""
    inner = wrapped(address)
    if inner is not None:
        return is_public(inner)
    if any(address in block for block in NEVER):
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not address.is_unspecified


def wrapped(address: IpAddress) -> ipaddress.IPv4Address | None:
    """The IPv4 address that an IPv6 address only wraps, and that is reached by it; None of all others."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return inner
