"""What is a process told of a source that it fetches from? Settings that are no secrets; it asks for the token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backend.media.address import resolve
from backend.media.cloud import CloudFiles
from backend.media.cloud_services import SERVICES
from backend.media.download import Downloader
from backend.media.fetching import Source

_WEB = ("label_studio_url", "allowed_origins", "max_bytes", "timeout_s", "deadline_s", "refused_kinds")
_CLOUD = ("max_bytes", "timeout_s", "deadline_s")


def source_to_json(source: Source) -> dict[str, Any]:
    """Raises TypeError for a source with parts that live in this process alone."""
    if isinstance(source, CloudFiles):
        if source.services is not SERVICES:
            raise TypeError("services of its own cannot be told to another process")
        return {"kind": "cloud", **{name: getattr(source, name) for name in _CLOUD}}
    if source.transport is not None or source.resolver is not resolve:
        raise TypeError("a transport or resolver of its own cannot be told to another process")
    facts = {name: getattr(source, name) for name in _WEB}
    return {"kind": "web", "aliases": list(source.label_studio_aliases()), **facts}


def source_from_json(told: dict[str, Any], headers: Callable[[], Mapping[str, str]]) -> Source:
    """The source in the process that fetches.

    Args:
        headers: gets what signs a request to Label Studio, each time that one is made.
    """
    if told["kind"] == "cloud":
        return CloudFiles(**{name: told[name] for name in _CLOUD})
    aliases = tuple(told["aliases"])
    facts = {name: told[name] for name in _WEB} | {"refused_kinds": tuple(told["refused_kinds"])}
    return Downloader(label_studio_headers=headers, label_studio_aliases=lambda: aliases, **facts)
